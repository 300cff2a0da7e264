// Owns reading attributes of a node: JSON as the converter writes it (numbers also as text, text as
// base64), with TF.js's defaults. What has another form than it must have is refused.
import { z } from 'zod'
import { refuse } from './refusal.js'
import type { GraphNode } from './topology.js'

const integer = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d{1,15}$/)
    .transform(Number),
])
const text = z.union([
  z.string().transform((base64) => Buffer.from(base64, 'base64').toString('latin1')),
  z.array(z.int().min(0).max(255)).transform((codes) => Buffer.from(codes).toString('latin1')),
])

const shapeSchema = z.object({
  unknownRank: z.boolean().nullish(),
  dim: z
    .array(z.object({ size: integer.nullish() }))
    .max(8)
    .nullish(),
})

const forms = {
  int: z.object({ i: integer }).transform(({ i }) => i),
  float: z.object({ f: z.number() }).transform(({ f }) => f),
  bool: z.object({ b: z.boolean().nullish() }).transform(({ b }) => b === true),
  // TF.js compares in lower case.
  text: z.object({ s: text }).transform(({ s }) => s.toLowerCase()),
  ints: z
    .object({ list: z.object({ i: z.array(integer).max(16).nullish() }) })
    .transform(({ list }) => list.i ?? []),
  texts: z
    .object({ list: z.object({ s: z.array(text).max(16).nullish() }) })
    .transform(({ list }) => (list.s ?? []).map((s) => s.toLowerCase())),
  type: z.object({ type: z.string() }).transform(({ type }) => type),
  /** Null where nothing says the rank; -1 for a size that is not given. */
  shape: z
    .object({ shape: shapeSchema })
    .transform(({ shape }) =>
      shape.unknownRank === true ? null : (shape.dim ?? []).map(({ size }) => size ?? 0),
    ),
} as const

type Form = keyof typeof forms
type AttributeOf<F extends Form> = z.output<(typeof forms)[F]>

/**
 * `otherwise` is used where the node does not have the attribute; without it, the node is refused.
 * Throws Refusal.
 */
export type ReadAttribute = <F extends Form>(
  name: string,
  form: F,
  otherwise?: AttributeOf<F>,
) => AttributeOf<F>

export const attributeReader =
  ({ attributes }: Pick<GraphNode, 'attributes'>): ReadAttribute =>
  (name, form, otherwise) => {
    const raw = Object.hasOwn(attributes, name) ? attributes[name] : undefined
    if (raw === undefined || raw === null)
      return otherwise ?? refuse(`the attribute ${name} is missing`)
    const result = forms[form].safeParse(raw)
    if (result.success) return result.data as AttributeOf<typeof form>
    return refuse(`the attribute ${name} is no ${form}`)
  }
