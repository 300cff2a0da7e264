// Owns /v1/datasets.
import { z } from 'zod'
import { listDatasets } from '../../catalog/list.js'
import { removeDataset } from '../../catalog/remove.js'
import { showDataset } from '../../catalog/show.js'
import { datasetSpecSchema, splitSpecSchema } from '../../dataset/spec.js'
import { addDataset } from '../../experiment/add-named.js'
import { type App, type HttpContext, signalOf } from '../context.js'
import { problemResponses } from '../problem.js'
import { datasetSummarySchema, listingOf, removalSchema, shownDatasetSchema } from '../schemas.js'
import { NOWHERE } from '../sources.js'
import { forceQuery, referenceParams } from './references.js'

const tags = ['datasets']

const newDatasetSchema = datasetSpecSchema
  .extend({
    name: z.string().min(1),
    split: splitSpecSchema.unwrap().optional().describe('by sample key'),
    replace: z.boolean().default(false).describe('let the name point here even if it is in use'),
  })
  .meta({ id: 'NewDataset' })

export const addDatasetRoutes = (app: App, context: HttpContext): void => {
  const { workspace, sources, limits } = context
  const { store, objects, hashCacheDir } = workspace

  app.route({
    method: 'GET',
    url: '/v1/datasets',
    schema: {
      tags,
      summary: 'All datasets',
      response: { 200: listingOf(datasetSummarySchema), ...problemResponses },
    },
    handler: () => listDatasets(store),
  })

  app.route({
    method: 'POST',
    url: '/v1/datasets',
    handlerTimeout: limits.enqueueTimeoutMs,
    schema: {
      tags,
      summary: 'Indexes a dataset and gives it a name',
      body: newDatasetSchema,
      response: { 201: shownDatasetSchema, ...problemResponses },
    },
    handler: async ({ body, caller }, reply) => {
      const { name, split, replace, ...asked } = body
      const spec = await sources.dataset(asked, caller)
      const { dataset, reader } = await addDataset(store, {
        spec,
        split,
        name,
        replace,
        objects,
        hashCacheDir,
        folder: NOWHERE,
        signal: signalOf(reply),
      })
      await reader.close()
      const shown = await showDataset(store, dataset.datasetId)
      return reply.code(201).header('location', `/v1/datasets/${name}`).send(shown)
    },
  })

  app.route({
    method: 'GET',
    url: '/v1/datasets/:reference',
    schema: {
      tags,
      summary: 'One dataset and who was trained on it',
      params: referenceParams,
      response: { 200: shownDatasetSchema, ...problemResponses },
    },
    handler: ({ params }) => showDataset(store, params.reference),
  })

  app.route({
    method: 'DELETE',
    url: '/v1/datasets/:reference',
    schema: {
      tags,
      summary: 'Removes a dataset that no run needs; its content stays where it is',
      params: referenceParams,
      querystring: forceQuery,
      response: { 200: removalSchema, ...problemResponses },
    },
    handler: ({ params, query }) => removeDataset(store, params.reference, query),
  })
}
