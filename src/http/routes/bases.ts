// Owns /v1/bases.
import { z } from 'zod'
import { listBases } from '../../catalog/list.js'
import { removeBase } from '../../catalog/remove.js'
import { showBase } from '../../catalog/show.js'
import { addBase } from '../../experiment/add-named.js'
import { baseRecordSchema } from '../../extractor/base/load.js'
import { type App, type HttpContext, signalOf } from '../context.js'
import { problemResponses } from '../problem.js'
import {
  baseSummarySchema,
  layersSchema,
  listingOf,
  removalSchema,
  shownBaseSchema,
} from '../schemas.js'
import { NOWHERE } from '../sources.js'
import { forceQuery, referenceParams } from './references.js'

const tags = ['bases']

const newBaseSchema = z
  .strictObject({
    from: z.string().min(1).describe('an allow-listed http(s) URL, a name or an id'),
    name: z.string().min(1).optional(),
    replace: z.boolean().default(false).describe('let the name point here even if it is in use'),
  })
  .meta({ id: 'NewBase' })

export const addBaseRoutes = (app: App, { workspace, sources, limits }: HttpContext): void => {
  const { store } = workspace

  app.route({
    method: 'GET',
    url: '/v1/bases',
    schema: {
      tags,
      summary: 'All registered bases',
      response: { 200: listingOf(baseSummarySchema), ...problemResponses },
    },
    handler: () => listBases(store),
  })

  app.route({
    method: 'POST',
    url: '/v1/bases',
    handlerTimeout: limits.enqueueTimeoutMs,
    schema: {
      tags,
      summary: 'Registers a base; registering it again is free',
      body: newBaseSchema,
      response: { 201: baseRecordSchema, ...problemResponses },
    },
    handler: async ({ body, caller }, reply) => {
      const from = await sources.base(body.from, caller)
      const signal = signalOf(reply)
      const { record } = await addBase(workspace, { ...body, from, folder: NOWHERE, signal })
      return reply.code(201).header('location', `/v1/bases/${record.baseId}`).send(record)
    },
  })

  app.route({
    method: 'GET',
    url: '/v1/bases/:reference',
    schema: {
      tags,
      summary: 'One base and what needs it',
      params: referenceParams,
      response: { 200: shownBaseSchema, ...problemResponses },
    },
    handler: ({ params }) => showBase(store, params.reference),
  })

  app.route({
    method: 'GET',
    url: '/v1/bases/:reference/layers',
    schema: {
      tags,
      summary: 'Where a base can be cut, with the shape of one feature',
      params: referenceParams,
      response: { 200: layersSchema, ...problemResponses },
    },
    handler: async ({ params }) => {
      const { baseId, cuts } = (await showBase(store, params.reference)).base
      return { baseId, cuts }
    },
  })

  app.route({
    method: 'DELETE',
    url: '/v1/bases/:reference',
    schema: {
      tags,
      summary: 'Removes a base that nothing needs',
      params: referenceParams,
      querystring: forceQuery,
      response: { 200: removalSchema, ...problemResponses },
    },
    handler: ({ params, query }) => removeBase(store, params.reference, query),
  })
}
