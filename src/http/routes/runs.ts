// Owns /v1/runs: what was trained. Predicting and artifacts are files of their own.
import { listRuns } from '../../catalog/list.js'
import { removeRun } from '../../catalog/remove.js'
import { showRun } from '../../catalog/show.js'
import type { App, HttpContext } from '../context.js'
import { problemResponses } from '../problem.js'
import { listingOf, removalSchema, runSummarySchema, shownRunSchema } from '../schemas.js'
import { referenceParams } from './references.js'

const tags = ['runs']

export const addRunRoutes = (app: App, { workspace, models, runs }: HttpContext): void => {
  const { store } = workspace

  app.route({
    method: 'GET',
    url: '/v1/runs',
    schema: {
      tags,
      summary: 'All published runs, newest first',
      response: { 200: listingOf(runSummarySchema), ...problemResponses },
    },
    handler: () => listRuns(store),
  })

  app.route({
    method: 'GET',
    url: '/v1/runs/:reference',
    schema: {
      tags,
      summary: 'One run: spec, metrics, parity, lineage',
      params: referenceParams,
      response: { 200: shownRunSchema, ...problemResponses },
    },
    handler: ({ params }) => showRun(store, params.reference),
  })

  app.route({
    method: 'DELETE',
    url: '/v1/runs/:reference',
    schema: {
      tags,
      summary: 'Removes a run with its artifacts; it stops to predict',
      params: referenceParams,
      response: { 200: removalSchema, ...problemResponses },
    },
    handler: async ({ params }) => {
      const removal = await removeRun(store, params.reference)
      runs.forget()
      models.drop(removal.id)
      return removal
    },
  })
}
