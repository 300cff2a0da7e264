// Owns /v1/jobs and /v1/queues: looking at jobs, following, cancelling and forgetting them.
import { z } from 'zod'
import { HeadstartError } from '../../errors.js'
import { JOB_KINDS } from '../../queue/jobs.js'
import { JOB_STATES, jobViewSchema } from '../../queue/types.js'
import type { App, HttpContext } from '../context.js'
import { problemResponses } from '../problem.js'
import { jobsSchema, queuesSchema } from '../schemas.js'

const tags = ['jobs']
const idParams = z.strictObject({ id: z.string().min(1) })
const MAX_LISTED = 1_000

const filterQuery = z.strictObject({
  kind: z.enum(JOB_KINDS).optional().describe('default: extractions and trainings'),
  state: z.enum(JOB_STATES).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(100),
})

const eventsDescription = `Server-sent events with the job as data: the state at once, then every change
as "progress", at last "completed", "failed" or "cancelled" ("gone" when the queue forgot the job), and
the end. Whoever reads slowly gets the newest state, not all of them.`

export const addJobRoutes = (app: App, { service, streams }: HttpContext): void => {
  const find = async (id: string) => {
    const job = await service.getJob(id)
    if (job !== null) return job
    throw new HeadstartError('NOT_FOUND', `there is no job ${JSON.stringify(id.slice(0, 120))}`)
  }

  app.route({
    method: 'GET',
    url: '/v1/jobs',
    schema: {
      tags,
      summary: 'Jobs, newest first',
      querystring: filterQuery,
      response: { 200: jobsSchema, ...problemResponses },
    },
    handler: async ({ query }) => ({ items: await service.listJobs(query) }),
  })

  app.route({
    method: 'GET',
    url: '/v1/jobs/:id',
    schema: {
      tags,
      summary: 'One job',
      params: idParams,
      response: { 200: jobViewSchema, ...problemResponses },
    },
    handler: ({ params }) => find(params.id),
  })

  app.route({
    method: 'POST',
    url: '/v1/jobs/:id/cancel',
    schema: {
      tags,
      summary: 'Asks a job to stop; what it computed is kept. One that has ended is left as it is',
      params: idParams,
      response: { 200: jobViewSchema, ...problemResponses },
    },
    handler: ({ params }) => service.cancelJob(params.id),
  })

  app.route({
    method: 'DELETE',
    url: '/v1/jobs/:id',
    schema: {
      tags,
      summary: 'Forgets a job that has ended; its results stay',
      params: idParams,
      response: { 204: z.undefined().describe('forgotten'), ...problemResponses },
    },
    handler: async ({ params }, reply) => {
      await service.removeJob(params.id)
      return reply.code(204).send()
    },
  })

  app.route({
    method: 'GET',
    url: '/v1/jobs/:id/events',
    exposeHeadRoute: false,
    schema: {
      tags,
      summary: 'Progress of a job as it comes',
      description: eventsDescription,
      params: idParams,
      response: {
        200: {
          description: 'events',
          content: { 'text/event-stream': { schema: z.string() } },
        },
        ...problemResponses,
      },
    },
    handler: async ({ params }, reply) => {
      await find(params.id)
      streams.assertRoom()
      reply.hijack()
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        // A proxy that collects answers would hold the events back.
        'x-accel-buffering': 'no',
      })
      streams.open(reply.raw, params.id)
    },
  })

  app.route({
    method: 'GET',
    url: '/v1/queues',
    schema: {
      tags,
      summary: 'How many jobs wait, and who works',
      response: { 200: queuesSchema, ...problemResponses },
    },
    handler: async () => ({ items: await service.counts() }),
  })
}
