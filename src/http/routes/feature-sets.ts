// Owns /v1/feature-sets.
import { listFeatureSets } from '../../catalog/list.js'
import { removeFeatureSet } from '../../catalog/remove.js'
import { showFeatureSet } from '../../catalog/show.js'
import type { App, HttpContext } from '../context.js'
import { problemResponses } from '../problem.js'
import {
  featureSetSummarySchema,
  listingOf,
  removalSchema,
  shownFeatureSetSchema,
} from '../schemas.js'
import { forceQuery, referenceParams } from './references.js'

const tags = ['feature sets']

export const addFeatureSetRoutes = (app: App, { workspace }: HttpContext): void => {
  const { store } = workspace

  app.route({
    method: 'GET',
    url: '/v1/feature-sets',
    schema: {
      tags,
      summary: 'All feature sets',
      response: { 200: listingOf(featureSetSummarySchema), ...problemResponses },
    },
    handler: () => listFeatureSets(store),
  })

  app.route({
    method: 'GET',
    url: '/v1/feature-sets/:reference',
    schema: {
      tags,
      summary: 'One feature set: its extractor, its shards, its quarantine',
      params: referenceParams,
      response: { 200: shownFeatureSetSchema, ...problemResponses },
    },
    handler: ({ params }) => showFeatureSet(store, params.reference),
  })

  app.route({
    method: 'DELETE',
    url: '/v1/feature-sets/:reference',
    schema: {
      tags,
      summary: 'Removes a feature set that no run needs',
      params: referenceParams,
      querystring: forceQuery,
      response: { 200: removalSchema, ...problemResponses },
    },
    handler: ({ params, query }) => removeFeatureSet(store, params.reference, query),
  })
}
