// Owns /v1/sweeps: what became of every head that was trained together.
import { showSweep } from '../../catalog/sweeps.js'
import { sweepRecordSchema } from '../../model/sweep-record.js'
import type { App, HttpContext } from '../context.js'
import { problemResponses } from '../problem.js'
import { referenceParams } from './references.js'

const tags = ['runs']

export const addSweepRoutes = (app: App, { workspace: { store } }: HttpContext): void => {
  app.route({
    method: 'GET',
    url: '/v1/sweeps/:reference',
    schema: {
      tags,
      summary: 'One sweep: every head, how it ended, and the best of them',
      params: referenceParams,
      response: { 200: sweepRecordSchema, ...problemResponses },
    },
    handler: async ({ params }) => (await showSweep(store, params.reference)).sweep,
  })
}
