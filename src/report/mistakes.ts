// Owns the most confident mistakes: what the head was sure of and wrong about, with the image where
// there is one. Refuses thumbnails that are no small JPEG data URI.
import { type Fragment, type Html, html, name } from './html.js'
import { card, note } from './parts.js'
import { mistakesOf, residualScales, worstLabel, worstOutput } from './predictions.js'
import { showCount, showNumber, showPercent, showText } from './text.js'
import type { Prediction, RunReport } from './types.js'

/** Mistakes that a report shows, and so thumbnails that it needs. */
export const MAX_MISTAKES = 12

const MAX_URI_LENGTH = 64 * 1024
const JPEG_URI = /^data:image\/jpeg;base64,[A-Za-z0-9+/]+={0,2}$/u

const thumbnailOf = (
  thumbnails: RunReport['thumbnails'],
  { key, name: title }: Prediction,
): Html | null => {
  const uri = Object.hasOwn(thumbnails, key) ? thumbnails[key] : undefined
  return uri !== undefined && uri.length <= MAX_URI_LENGTH && JPEG_URI.test(uri)
    ? html`<img src="${uri}" width="96" height="96" alt="${showText(title)}">`
    : null
}

/** Classes in words; few of many. */
const listOf = (titles: readonly string[], indices: readonly number[]): Fragment => {
  if (indices.length === 0) return 'none'
  const shown = indices.slice(0, 4).map((index) => showText(titles[index] ?? '', 32))
  return name(`${shown.join(', ')}${indices.length > shown.length ? ', …' : ''}`)
}

/** What was said and what is so. */
const wordsOf = (
  prediction: Prediction,
  titles: readonly string[],
  scales: readonly number[],
): Html => {
  switch (prediction.kind) {
    case 'single': {
      const { actual, predicted, confidence, trueProbability } = prediction
      return html`<p>said <span class="wrong">${listOf(titles, [predicted])}</span> ${showPercent(confidence)}</p><p>is <span class="right">${listOf(titles, [actual])}</span> ${showPercent(trueProbability)}</p>`
    }
    case 'multi': {
      const { index } = worstLabel(prediction)
      const probability = showPercent(prediction.probabilities[index] ?? 0)
      const has = prediction.actual.includes(index)
      return html`<p>${has ? 'missed' : 'said'} <span class="wrong">${listOf(titles, [index])}</span> ${probability}</p><p>has <span class="right">${listOf(titles, prediction.actual)}</span></p>`
    }
    case 'regression': {
      const { index } = worstOutput(prediction, scales)
      const [said, is] = [prediction.predicted[index], prediction.actual[index]]
      return html`<p>${name(showText(titles[index] ?? '', 32))}: said <span class="wrong">${showNumber(said ?? Number.NaN)}</span></p><p>is <span class="right">${showNumber(is ?? Number.NaN)}</span></p>`
    }
    default:
      return prediction satisfies never
  }
}

export const renderMistakes = (
  { run, thumbnails }: RunReport,
  predictions: readonly Prediction[],
  split: string,
): Html => {
  if (predictions.length === 0) return card(note('No predictions were kept for this run.'))
  const mistakes = mistakesOf(predictions, MAX_MISTAKES)
  if (mistakes.length === 0)
    return card(note(`Not one of ${showCount(predictions.length)} predictions is wrong.`))
  const titles = run.target.kind === 'regression' ? run.target.outputs : run.target.classes
  const scales = residualScales(predictions)
  const what =
    run.target.kind === 'regression'
      ? 'The largest residuals'
      : 'Where the head was wrong and surest of itself'
  return html`${note(`${what}, on the ${split} split; often a wrong label or a class that needs more samples.`)}<ol class="mistakes">${mistakes.map(
    (mistake) =>
      html`<li>${thumbnailOf(thumbnails, mistake)}<div>${wordsOf(mistake, titles, scales)}<p class="note">${name(showText(mistake.name))}</p></div></li>
`,
  )}</ol>`
}
