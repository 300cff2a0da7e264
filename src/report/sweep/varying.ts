// Owns which settings differ between the heads of a sweep; what all share is said once, elsewhere. Pure.
import { canonicalJson, type JsonValue } from '../../identity/canonical-json.js'
import { sha256 } from '../../identity/hash.js'
import { showNumber, showText } from '../text.js'
import type { SweepHead } from '../types.js'

export type Setting = number | string

export interface Varying {
  readonly name: string
  /** One a head, in the order of the heads; null where the head has no such setting. */
  readonly values: readonly (Setting | null)[]
}

/** Longer values are known by their hash: a topology has megabytes. */
const MAX_JSON = 60

const settingOf = (value: unknown): Setting | null => {
  if (value === undefined) return null
  if (typeof value === 'number' || typeof value === 'string') return value
  if (value === null) return 'none'
  const text = canonicalJson(value as JsonValue)
  return text.length > MAX_JSON ? `#${sha256(text).slice(0, 8)}` : text
}

const settingsOf = ({
  cut,
  pooling,
  views,
  seed,
  spec,
}: SweepHead): Map<string, Setting | null> => {
  const all = { cut, pooling, views, ...spec, seed }
  return new Map(Object.entries(all).map(([name, value]) => [name, settingOf(value)]))
}

/**
 * What tells the heads apart, in the order of the spec: cut, pooling and views first. A setting that
 * only some kinds of heads have counts where it differs among those.
 */
export const varyingOf = (heads: readonly SweepHead[]): Varying[] => {
  const settings = heads.map(settingsOf)
  const names = new Set(settings.flatMap((one) => [...one.keys()]))
  return [...names]
    .map((name) => ({ name, values: settings.map((one) => one.get(name) ?? null) }))
    .filter(({ values }) => new Set(values.filter((value) => value !== null)).size > 1)
}

const WORDS: Readonly<Record<string, string>> = {
  learningRate: 'learning rate',
  weightDecay: 'weight decay',
  labelSmoothing: 'label smoothing',
  batchSize: 'batch size',
  earlyStopping: 'early stopping',
  classWeights: 'class weights',
}

export const settingName = (name: string): string =>
  Object.hasOwn(WORDS, name) ? (WORDS[name] ?? name) : name

export const showSetting = (value: Setting | null, limit = 32): string =>
  value === null ? '–' : typeof value === 'number' ? showNumber(value) : showText(value, limit)
