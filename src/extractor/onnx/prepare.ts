// Owns the way from an ONNX base to the graph that an engine runs: cut, folded, pooled, and with
// the types that cross the border to JavaScript.
import { HeadstartError } from '../../errors.js'
import type { OnnxBase } from '../base/loaded-base.js'
import { imageLayout } from '../layout.js'
import type { ExtractorSpec } from '../spec.js'
import { giveFloat32, PREPARED_OUTPUT, takePixels, takeRows } from './border.js'
import { cutGraph } from './cut.js'
import { OURS } from './edit.js'
import { foldBatchNormalization } from './fold-batch-normalization.js'
import { type GraphInput, graphInputOf, onlyInput } from './graph-input.js'
import { toHalf } from './half.js'
import { type OnnxModel, parseOnnxModel } from './model.js'
import { appendPooling } from './pooling.js'

export type PrepareRequest = Pick<ExtractorSpec, 'cut' | 'pooling' | 'precision' | 'input'>

export interface PrepareOptions {
  /** Axes of the only output of a graph, with the batch axis; asked only for pooling. */
  readonly rankOf: (model: OnnxModel) => Promise<number>
  /** Samples in every run, unless the base fixes another number; null: any number. */
  readonly batch: number | null
}

export interface PreparedGraph {
  readonly model: OnnxModel
  /** Samples in every run; null: any number. */
  readonly batch: number | null
}

/** Batch, at least one spatial axis, channels. */
const RANK_WITH_SPACE = 3

/** Whether images, and what becomes of them inside, have their channels before the other axes. */
const hasChannelsFirst = (base: Pick<OnnxBase, 'origin'>, input: GraphInput): boolean =>
  base.origin === 'file' && imageLayout(input.shape) === 'channels-first'

const assertFits = (input: GraphInput, given: readonly number[]): void => {
  const fits =
    given.length === input.shape.length &&
    given.every((size, i) => input.shape[i] === null || input.shape[i] === size)
  if (!fits)
    throw new HeadstartError(
      'EXTRACTOR_INPUT_MISMATCH',
      `a sample has the shape [${given.join(', ')}], the base takes [${input.shape.map((size) => size ?? '?').join(', ')}]`,
    )
}

/**
 * Prepares a graph for one extractor. Pure: the bytes of the base are read, never written.
 *
 * @throws CUT_NOT_FOUND, CUT_UNUSABLE, EXTRACTOR_INPUT_MISMATCH, BASE_INVALID.
 */
export const prepareGraph = async (
  base: Pick<OnnxBase, 'model' | 'origin'>,
  { cut, pooling, precision, input }: PrepareRequest,
  { rankOf, batch: wanted }: PrepareOptions,
): Promise<PreparedGraph> => {
  const whole = parseOnnxModel(base.model)
  const own = graphInputOf(whole)
  const channelsFirst = hasChannelsFirst(base, own)
  let model = foldBatchNormalization(onlyInput(cutGraph(whole, cut), own))
  const rank = pooling === 'none' ? 0 : await rankOf(model)
  const half = precision === 'fp16'
  if (half) model = toHalf(model)
  const batch = own.batch ?? wanted
  const taken: GraphInput = { ...(half ? graphInputOf(model) : own), batch }
  if (pooling === 'none' || rank < RANK_WITH_SPACE) model = giveFloat32(model, PREPARED_OUTPUT)
  // Pooled in float32, where a mean of many float16 values is exact enough.
  else
    model = appendPooling(
      giveFloat32(model, `${OURS}/unpooled`),
      { kind: pooling, rank, channelsFirst },
      PREPARED_OUTPUT,
    )
  if (input.kind === 'tensor') {
    assertFits(own, input.shape)
    return { model: takeRows(model, taken, input.shape), batch }
  }
  const [height, width] = input.size
  assertFits(own, channelsFirst ? [3, height, width] : [height, width, 3])
  return { model: takePixels(model, taken, input, channelsFirst), batch }
}
