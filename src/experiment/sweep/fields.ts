// Owns what may vary in a sweep: the members of every kind of head, and where the head is trained.
import { z } from 'zod'
import { POOLINGS } from '../../extractor/spec.js'
import { type HeadSpecInput, written } from '../../head/spec.js'

export type HeadKind = HeadSpecInput['kind']

/** On which features a head is trained; no part of its spec. */
export const placeShape = {
  cut: z.string().min(1).max(1024).describe('one of base.cuts; without it every cut'),
  pooling: z.enum(POOLINGS).describe('of base.cuts; without it every pooling of the cut'),
  views: z.int().min(1).max(64).describe('train on the first views; without it on all'),
} as const
export type Place = { readonly [K in keyof typeof placeShape]?: z.output<(typeof placeShape)[K]> }

const kindOf = (option: (typeof written.options)[number]): HeadKind => option.shape.kind.value

const MEMBERS = new Map(
  written.options.map((option) => [kindOf(option), new Set(Object.keys(option.shape))]),
)

export const HEAD_KINDS: readonly HeadKind[] = [...MEMBERS.keys()]

/** Whether heads of a kind have a member; all have a place. */
export const hasField = (kind: HeadKind, field: string): boolean =>
  Object.hasOwn(placeShape, field) || MEMBERS.get(kind)?.has(field) === true

const schemasOf = (field: string): z.ZodType[] => {
  if (field === 'kind') return [z.enum(HEAD_KINDS)]
  if (Object.hasOwn(placeShape, field)) return [placeShape[field as keyof Place]]
  const shapes = written.options.map(({ shape }) => shape as Record<string, z.ZodType | undefined>)
  return [...new Set(shapes.flatMap((shape) => shape[field] ?? []))]
}

const NAMES = new Set([...written.options.flatMap(({ shape }) => Object.keys(shape))])

/** Every field that may vary: what a value of it may be, for any kind of head. */
export const FIELDS: ReadonlyMap<string, readonly z.ZodType[]> = new Map(
  [...NAMES, ...Object.keys(placeShape)].map((field) => [field, schemasOf(field)]),
)

/** Fields whose value may be an object, so that an object is a value and no range to draw from. */
export const OBJECT_FIELDS: ReadonlySet<string> = new Set([
  'topology',
  'classWeights',
  'earlyStopping',
])
