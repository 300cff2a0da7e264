// Owns how values become words: names from outside made harmless and short, numbers made readable.

/** Characters that end a line or turn the direction of the text around them. */
const UNRULY = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu

const NAME_LENGTH = 64

/**
 * A text from outside, to show: well-formed, one line, no control of direction, at most `limit` code
 * points. It still has to be escaped.
 */
export const showText = (text: string, limit = NAME_LENGTH): string => {
  // A code point takes at most two units: what lies beyond cannot be shown and is not looked at.
  const head = text.slice(0, 2 * limit + 2).toWellFormed()
  const points = Array.from(head.replace(UNRULY, '\ufffd'))
  return points.length > limit ? `${points.slice(0, limit - 1).join('')}…` : points.join('')
}

/** The same for text in a drawing, which has no bdi element: isolated from its surroundings. */
export const drawnText = (text: string, limit: number): string =>
  `\u2068${showText(text, limit)}\u2069`

/** The last part of a path or address: where data lay on a machine is nobody's business. */
export const lastPart = (from: string): string => {
  const path = from.split(/[?#]/u, 1)[0] ?? ''
  return showText(path.split(/[/\\]/u).findLast((part) => part !== '') ?? from)
}

const THIN_SPACE = '\u202f'

/** For the start of a title. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

/** 12345 as 12,345. */
export const showCount = (count: number): string => count.toLocaleString('en-US')

/** 0.9342 as 93.4 %. */
export const showPercent = (fraction: number): string =>
  Number.isFinite(fraction) ? `${(100 * fraction).toFixed(1)}${THIN_SPACE}%` : 'n/a'

/** Four significant digits, without trailing zeros. */
export const showNumber = (value: number): string => {
  if (!Number.isFinite(value)) return 'n/a'
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return showCount(value)
  const size = Math.abs(value)
  const text = size >= 1e6 || size < 1e-3 ? value.toExponential(2) : value.toPrecision(4)
  return text.replace(/\.?0+(?=e|$)/u, '')
}

/** 0.0123 s as 12 ms, 75 s as 1 min 15 s. */
export const showSeconds = (seconds: number): string => {
  if (seconds < 1) return `${Math.round(1000 * seconds)} ms`
  if (seconds < 60) return `${showNumber(Number(seconds.toPrecision(3)))} s`
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

/** An id for people; the whole one stays in the element's title. */
export const shortId = (id: string): string => showText(id, 400).slice(0, 12)

const METRICS: Readonly<Record<string, { readonly name: string; readonly fraction: boolean }>> = {
  accuracy: { name: 'accuracy', fraction: true },
  top5Accuracy: { name: 'top-5 accuracy', fraction: true },
  macroF1: { name: 'macro F1', fraction: true },
  r2: { name: 'R²', fraction: false },
  rmse: { name: 'RMSE', fraction: false },
  mae: { name: 'MAE', fraction: false },
}

const metricOf = (metric: string) => (Object.hasOwn(METRICS, metric) ? METRICS[metric] : undefined)

export const metricName = (metric: string): string => metricOf(metric)?.name ?? showText(metric)

/** A fraction in percent, everything else as a number. */
export const showMetric = (metric: string, value: number): string =>
  metricOf(metric)?.fraction === true ? showPercent(value) : showNumber(value)
