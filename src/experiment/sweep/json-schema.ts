// Owns what the published JSON Schema says of the heads of an experiment: the three ways to write
// them, each with all its fields, where the parser routes by hand to give one clear report of faults.
import { z } from 'zod'
import { FIELDS, OBJECT_FIELDS } from './fields.js'
import { listSchema } from './list-schema.js'
import { randomSchema, rangeSchema } from './random-schema.js'

const oneOf = (schemas: readonly z.ZodType[]): z.ZodType => {
  const [first = z.never(), second, ...others] = schemas.map((schema) =>
    // A default is for a member that is left out; here nothing stands for it.
    schema instanceof z.ZodDefault ? (schema.unwrap() as z.ZodType) : schema,
  )
  return second === undefined ? first : z.union([first, second, ...others])
}

const listsShape = (canDraw: boolean): Record<string, z.ZodType> =>
  Object.fromEntries(
    [...FIELDS].map(([field, schemas]) => {
      const value = oneOf(schemas)
      const values = z.union([value, z.array(value).min(1)])
      const drawn = canDraw && !OBJECT_FIELDS.has(field) ? z.union([values, rangeSchema]) : values
      return [field, field === 'kind' ? drawn : drawn.optional()]
    }),
  )

const lists = z.strictObject(listsShape(false))
const writtenHeads = z
  .union([
    listSchema,
    z.strictObject({ grid: z.union([lists, z.array(lists).min(1)]) }),
    randomSchema.extend({ random: z.strictObject(listsShape(true)) }),
  ])
  .describe('a list of heads, a grid of all combinations, or a seeded random search')

/** @param canNameFiles a topology may be the path of a model.json: load-file.ts puts it in. */
export const headsJsonSchema = ({ canNameFiles }: { readonly canNameFiles: boolean }): object => {
  const { $schema: _, ...schema } = z.toJSONSchema(writtenHeads, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ path, jsonSchema }) => {
      const isTopology = path.includes('topology') && jsonSchema.type === 'object'
      if (canNameFiles && isTopology) jsonSchema.type = ['object', 'string'] as unknown as 'object'
    },
  })
  return schema
}
