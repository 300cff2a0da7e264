// Owns what the OpenAPI document says beyond the schemas of the routes: forms, and names that the
// generator cannot know.
import { STATUS_CODES } from 'node:http'
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { createJsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { VERSION } from '../version.js'

const FORM = {
  required: true,
  content: {
    'multipart/form-data': {
      schema: {
        type: 'object',
        properties: {
          file: { type: 'array', items: { type: 'string', contentMediaType: 'image/*' } },
        },
        required: ['file'],
      },
    },
  },
}

type Json = { [key: string]: unknown }
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null

/** Every object below a value, itself first. */
function* objectsIn(value: unknown): Generator<Json> {
  if (!isObject(value)) return
  yield value
  for (const child of Object.values(value)) yield* objectsIn(child)
}

/** The generator loses what a recursive schema refers to; ours are all of one kind: any JSON. */
const GENERATED_NAME = /\/schema\d+$/

const withAnyJson = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withAnyJson)
  if (!isObject(value)) return value
  if (GENERATED_NAME.test(String(value.$ref))) return { description: 'any JSON' }
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withAnyJson(child)]))
}

/** Schemas that nothing refers to: the generator makes two of each, for bodies and for answers. */
const withoutUnused = (document: Json): Json => {
  const { components = {}, ...rest } = document as Json & { components?: Json }
  const { schemas = {}, ...others } = components as Json & { schemas?: Json }
  const used = new Set([...objectsIn(rest)].map(({ $ref }) => $ref))
  const kept = Object.entries(schemas).filter(([name]) => used.has(`#/components/schemas/${name}`))
  return { ...rest, components: { ...others, schemas: Object.fromEntries(kept) } }
}

const describeResponses = (responses: unknown): void => {
  if (!isObject(responses)) return
  for (const [status, response] of Object.entries(responses))
    if (isObject(response) && response.description === 'Default Response')
      response.description = STATUS_CODES[Number(status)] ?? status
}

const finished = (generated: Json): Json => {
  const document = withAnyJson(generated) as Json
  const paths: Json = {}
  for (const [path, item] of Object.entries(document.paths as Json)) {
    for (const operation of Object.values(item as Json)) {
      if (!isObject(operation)) continue
      describeResponses(operation.responses)
      if (path.endsWith('/predict')) operation.requestBody = FORM
      for (const part of objectsIn(operation.parameters)) if (part.name === '*') part.name = 'key'
    }
    paths[path.replace('{*}', '{key}')] = item
  }
  return withoutUnused({ ...document, paths })
}

/** Options of @fastify/swagger. */
export const OPENAPI_OPTIONS: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Headstart',
      version: VERSION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    security: [{ bearer: [] }],
  },
  transform: createJsonSchemaTransform({}),
  transformObject: (document) => finished(jsonSchemaTransformObject(document) as unknown as Json),
}
