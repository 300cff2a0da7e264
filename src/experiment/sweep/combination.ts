// Owns one combination of values: the head and place that it comes to, and its identity in a sweep.
import { HeadstartError } from '../../errors.js'
import { type HeadSpec, headSpecSchema } from '../../head/spec.js'
import { canonicalJson, type JsonValue } from '../../identity/canonical-json.js'
import { type Sha256, sha256OfJson } from '../../identity/hash.js'
import { type HeadKind, hasField, type Place } from './fields.js'
import { type HeadEntry, splitPlace } from './list-schema.js'

export type Combination = Readonly<Record<string, JsonValue>>

/** A head and what was said of where it is trained. */
export interface Placed {
  readonly head: HeadSpec
  readonly place: Place
}

/** In the words of the experiment file. */
const describe = (combination: Combination): string =>
  Object.entries(combination)
    .map(([field, value]) => `${field} ${field === 'topology' ? '...' : JSON.stringify(value)}`)
    .join(', ')

/** Fields that the kind does not have are left out. */
export const ofItsKind = (combination: Combination): Combination =>
  Object.fromEntries(
    Object.entries(combination).filter(([field]) => hasField(combination.kind as HeadKind, field)),
  )

// Topologies may have megabytes and stand in a thousand combinations: each is looked at once.
const topologyIds = new WeakMap<object, Sha256>()
const topologyId = (topology: JsonValue): JsonValue => {
  if (typeof topology !== 'object' || topology === null) return topology
  const id = topologyIds.get(topology) ?? sha256OfJson(topology)
  topologyIds.set(topology, id)
  return id
}

const withoutTopology = (head: Record<string, unknown>): Record<string, unknown> =>
  'topology' in head ? { ...head, topology: {} } : head

/**
 * The complete head of a combination whose values were checked one by one.
 *
 * @param where of the combination in the experiment, for the message.
 * @throws REQUEST_INVALID naming the combination.
 */
export const completeHead = (combination: Combination, where: string): Placed => {
  const { head, place } = splitPlace(ofItsKind(combination) as unknown as HeadEntry)
  const parsed = headSpecSchema.safeParse(withoutTopology(head))
  if (!parsed.success)
    throw new HeadstartError(
      'REQUEST_INVALID',
      `${where} has a combination that cannot be trained: ${describe(combination)}`,
      {
        details: parsed.error.issues.map(
          (issue) => `${where}: ${issue.path.join('.')}: ${issue.message}`,
        ),
      },
    )
  const topology = 'topology' in head ? { topology: head.topology } : {}
  return { head: { ...parsed.data, ...topology } as HeadSpec, place }
}

/** Equal for equal heads in equal places. */
export const identityOf = ({ head, place }: Placed): string => {
  const topology = 'topology' in head ? { topology: topologyId(head.topology) } : {}
  return canonicalJson({ ...(head as Combination), ...topology, place: { ...place } } as JsonValue)
}
