// Owns the colour of a head: the better its metric, the stronger. Variables of the page, so that it
// holds in light and in dark.
import { type Html, html } from '../html.js'

/** @param goodness 0 (worst) to 1 (best). */
export const headColour = (goodness: number): string =>
  // In steps, so that heads of nearly the same value share one colour.
  `color-mix(in oklab, var(--accent) ${10 * Math.round(10 * goodness)}%, var(--low))`

export const rampLegend = (worst: string, best: string): Html =>
  html`<ul class="legend"><li>${worst} <span class="ramp"></span> ${best}</li><li><i style="--swatch:var(--warm)"></i>best head</li></ul>`
