// Owns the combinations of a grid: counted without building them, and built. Pure.
import { HeadstartError } from '../../errors.js'
import type { JsonValue } from '../../identity/canonical-json.js'
import { canonicalJson } from '../../identity/canonical-json.js'
import type { Combination } from './combination.js'
import { type HeadKind, hasField } from './fields.js'
import type { Lists } from './grid-schema.js'
import { MAX_HEADS } from './list-schema.js'

const distinct = (values: readonly JsonValue[]): readonly JsonValue[] => [
  ...new Map(values.map((value) => [canonicalJson(value), value])).values(),
]

/** The lists that heads of one kind vary over: those of fields that they have, each value once. */
const listsOfKind = (lists: Lists, kind: HeadKind): Lists =>
  Object.fromEntries(
    Object.entries(lists)
      .filter(([field]) => hasField(kind, field))
      .map(([field, values]) => [field, field === 'kind' ? [kind] : distinct(values)]),
  )

const perKind = (lists: Lists): readonly Lists[] =>
  distinct(lists.kind ?? []).map((kind) => listsOfKind(lists, kind as HeadKind))

/** How many combinations a grid has: for each kind the product over the fields that it has. */
export const countGrid = (lists: Lists): number =>
  perKind(lists).reduce(
    (sum, ofKind) =>
      sum + Object.values(ofKind).reduce((product, { length }) => product * length, 1),
    0,
  )

function* product(lists: Lists): Generator<Combination> {
  const fields = Object.entries(lists)
  const total = fields.reduce((count, [, { length }]) => count * length, 1)
  for (let index = 0; index < total; index += 1) {
    let rest = index
    const values: [string, JsonValue][] = []
    // The last field varies fastest, as in nested loops.
    for (const [field, list] of [...fields].reverse()) {
      values.push([field, list[rest % list.length] as JsonValue])
      rest = Math.floor(rest / list.length)
    }
    yield Object.fromEntries(values.reverse())
  }
}

/**
 * All combinations, the last field varying fastest.
 *
 * @throws REQUEST_INVALID when there are too many, before any is built.
 */
export const expandGrids = (grids: readonly Lists[]): readonly Combination[] => {
  const count = grids.reduce((sum, lists) => sum + countGrid(lists), 0)
  if (count > MAX_HEADS)
    throw new HeadstartError(
      'REQUEST_INVALID',
      `the grid has ${count.toLocaleString('en')} combinations; at most ${MAX_HEADS.toLocaleString('en')}: draw some with random and count, or shorten it`,
    )
  return grids.flatMap((lists) => perKind(lists).flatMap((ofKind) => [...product(ofKind)]))
}
