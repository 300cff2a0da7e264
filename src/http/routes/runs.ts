// Owns /v1/runs: what was trained. Predicting and artifacts are files of their own.
import { z } from 'zod'
import { listRuns } from '../../catalog/list.js'
import { removeRun } from '../../catalog/remove.js'
import { runQuerySchema } from '../../catalog/run-query.js'
import { showRun } from '../../catalog/show.js'
import { compareRuns } from '../../model/compare.js'
import { findRun } from '../../model/find-run.js'
import { comparisonSchema } from '../comparison-schema.js'
import { type App, type HttpContext, signalOf } from '../context.js'
import { problemResponses } from '../problem.js'
import { listingOf, removalSchema, runSummarySchema, shownRunSchema } from '../schemas.js'
import { referenceParams } from './references.js'

const tags = ['runs']

/** As on the command line; `where` may be repeated. */
const listQuery = runQuerySchema.extend({
  reverse: z.stringbool().default(false),
  where: z
    .preprocess(
      (value) => (typeof value === 'string' ? [value] : value),
      runQuerySchema.shape.where.unwrap(),
    )
    .prefault([])
    .describe('field=value; also !=, <, <=, >, >='),
  limit: z.coerce.number().int().min(1).max(100_000).optional(),
})

const compareQuery = z.strictObject({
  with: z.string().min(1).max(400).describe('the other run: a name, an id, or the start of one'),
})

export const addRunRoutes = (app: App, { workspace, models, runs }: HttpContext): void => {
  const { store } = workspace

  app.route({
    method: 'GET',
    url: '/v1/runs',
    schema: {
      tags,
      summary: 'Published runs, filtered and sorted; all, newest first, where nothing is asked',
      querystring: listQuery,
      response: { 200: listingOf(runSummarySchema), ...problemResponses },
    },
    handler: ({ query }) => listRuns(store, query),
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
    method: 'GET',
    url: '/v1/runs/:reference/comparison',
    schema: {
      tags,
      summary: 'Two runs on the test samples that both have, with a significance test',
      params: referenceParams,
      querystring: compareQuery,
      response: { 200: comparisonSchema, ...problemResponses },
    },
    handler: async ({ params, query }, reply) =>
      compareRuns({
        store,
        a: await findRun(store, params.reference),
        b: await findRun(store, query.with),
        signal: signalOf(reply),
      }),
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
