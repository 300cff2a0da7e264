// Owns which engines this machine offers to the suite, and how a test opens them.
import {
  DEFAULT_ENGINE_SETTINGS,
  type EngineSettings,
} from '../../src/extractor/engine-settings.js'
import type { EngineName } from '../../src/extractor/spec.js'
import { tensorflowProblem, tensorflowSettings } from './tensorflow.js'

/** Engines that every suite runs on; a test that takes them all says so by `describe.each`. */
export const enginesUnderTest: readonly EngineName[] =
  tensorflowProblem === null ? ['wasm', 'onnxruntime', 'tensorflow'] : ['wasm', 'onnxruntime']

/** With the TensorFlow that the set-up built, where there can be one. */
export const engineSettingsForTests: EngineSettings =
  tensorflowProblem === null ? tensorflowSettings() : DEFAULT_ENGINE_SETTINGS
