// Owns the quarantine list of a report: which samples have no features, and why.
import { type Html, html, name } from './html.js'
import { card, note, table } from './parts.js'
import { showCount, showText } from './text.js'
import type { QuarantinedSample } from './types.js'

const MAX_LISTED = 100
const REASON_LENGTH = 240

/** @param count how many there are in all; more than are listed where a name was not kept. */
export const renderQuarantine = (samples: readonly QuarantinedSample[], count: number): Html => {
  const all = Math.max(count, samples.length)
  if (all === 0) return card(note('Every sample could be decoded and computed.'))
  const listed = samples.slice(0, MAX_LISTED)
  const verb = all === 1 ? 'sample' : 'samples'
  const rest = listed.length < all ? ` The first ${showCount(listed.length)} are listed.` : ''
  return card(
    html`${note(`${showCount(all)} ${verb} could not be decoded or computed; no number of this report is about them.${rest}`)}${
      listed.length > 0
        ? table(
            'Quarantine',
            [{ title: 'Sample' }, { title: 'Reason' }],
            listed.map((sample) => ({
              cells: [name(showText(sample.name)), name(showText(sample.reason, REASON_LENGTH))],
            })),
          )
        : null
    }`,
  )
}
