// Owns the Fastify instance: limits, who may come in, how failures look, the OpenAPI document.

import { randomUUID } from 'node:crypto'
import multipart from '@fastify/multipart'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import { fastify } from 'fastify'
import { serializerCompiler } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import { HeadstartError } from '../errors.js'
import { parseWith } from '../experiment/schema.js'
import { assertNotForeign, createAuthenticator, type Tokens } from './auth.js'
import { answerClientError } from './client-error.js'
import type { App, HttpContext, SchemaTypes } from './context.js'
import { addJsonParser } from './json-body.js'
import {
  type Limits,
  MAX_FORM_FIELD_BYTES,
  MAX_PARAM_CHARACTERS,
  MAX_URL_CHARACTERS,
} from './limits.js'
import { allowedMethods } from './methods.js'
import { OPENAPI_OPTIONS } from './openapi.js'
import { errorOf, sendProblem } from './problem.js'
import { addArtifactRoutes } from './routes/artifacts.js'
import { addBaseRoutes } from './routes/bases.js'
import { addDatasetRoutes } from './routes/datasets.js'
import { addEnqueueRoutes } from './routes/enqueue.js'
import { addFeatureSetRoutes } from './routes/feature-sets.js'
import { addJobRoutes } from './routes/jobs.js'
import { addOperationRoutes } from './routes/operations.js'
import { addPredictRoute } from './routes/predict.js'
import { addRunRoutes } from './routes/runs.js'
import { addSweepRoutes } from './routes/sweeps.js'

export interface AppOptions {
  readonly context: HttpContext
  readonly tokens: Tokens
  /** Failures that nobody meant, with their stacks: for the log, never for a client. */
  readonly onNotice: (message: string) => void
}

const createInstance = (limits: Limits): App =>
  fastify({
    logger: false,
    bodyLimit: limits.jsonBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    handlerTimeout: limits.answerTimeoutMs,
    http: {
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.connectionsCheckMs,
    },
    routerOptions: { maxParamLength: MAX_URL_CHARACTERS },
    genReqId: () => randomUUID(),
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      sendProblem(request, reply, errorOf(error))
    },
  }).withTypeProvider<SchemaTypes>()

const WHAT: Readonly<Record<string, string>> = {
  body: 'the body',
  params: 'the path',
  querystring: 'the query',
  headers: 'the headers',
}

const addSchemas = async (app: App): Promise<void> => {
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart = '' }) => (data: unknown) => {
    try {
      return { value: parseWith(schema, data, WHAT[httpPart] ?? 'the request') }
    } catch (error) {
      return { error: error as Error }
    }
  })
  app.setSerializerCompiler(serializerCompiler)
  await app.register(swagger, OPENAPI_OPTIONS)
}

const addLimits = async (app: App, limits: Limits): Promise<void> => {
  await app.register(multipart, {
    throwFileSizeLimit: false,
    limits: {
      fileSize: limits.fileBytes,
      files: limits.maxFiles,
      fields: 1,
      fieldSize: MAX_FORM_FIELD_BYTES,
    },
  })
  await app.register(rateLimit, {
    global: false,
    max: limits.rateMax,
    timeWindow: limits.rateWindowMs,
    errorResponseBuilder: () =>
      new HeadstartError('RATE_LIMITED', `more than ${limits.rateMax} requests in a short time`),
  })
  const limitRate = app.rateLimit()
  // Liveness stays out of it: a flood is no reason to restart the service.
  app.addHook('onRequest', async function (request, reply) {
    if (request.routeOptions.url !== '/health/live') await limitRate.call(this, request, reply)
  })
}

const addAdmission = (app: App, tokens: Tokens): void => {
  const authenticate = createAuthenticator(tokens)
  app.decorateRequest('caller', 'anybody')
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    const { headers, routeOptions, url } = request
    assertNotForeign(headers, tokens.token === undefined)
    if (url.length > MAX_URL_CHARACTERS)
      throw new HeadstartError(
        'URL_TOO_LONG',
        `the URL has more than ${MAX_URL_CHARACTERS} characters`,
      )
    if (routeOptions.config.open !== true) request.caller = authenticate(headers.authorization)
    const encoding = headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity')
      throw new HeadstartError('MEDIA_TYPE', 'bodies are taken without a content encoding')
    const params = Object.entries((request.params ?? {}) as Record<string, string>)
    if (params.some(([name, value]) => name !== '*' && value.length > MAX_PARAM_CHARACTERS))
      throw new HeadstartError('URL_TOO_LONG', 'a part of the path is too long')
  })
}

const addFailures = (app: App, onNotice: AppOptions['onNotice']): void => {
  app.setErrorHandler((error, request, reply) => {
    // A client that went away in the middle of its body is no failure of ours.
    const { destroyed, complete } = request.raw
    const left = destroyed && !complete
    const known = left ? new HeadstartError('INTERRUPTED', 'the client is gone') : errorOf(error)
    if (known.code === 'INTERNAL') {
      const { cause } = known
      onNotice(
        `request ${request.id} failed: ${cause instanceof Error ? cause.stack : String(cause)}`,
      )
    }
    return sendProblem(request, reply, known)
  })
  const methodsOf = allowedMethods(app)
  app.setNotFoundHandler((request, reply) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    const methods = methodsOf(pathname)
    if (methods.length === 0) throw new HeadstartError('ROUTE_UNKNOWN', 'there is no such path')
    reply.header('allow', methods.join(', '))
    throw new HeadstartError('METHOD_NOT_ALLOWED', `${request.method} is not for this path`)
  })
}

/** Everything but listening. */
export const buildApp = async ({ context, tokens, onNotice }: AppOptions): Promise<App> => {
  const { limits, metrics, streams } = context
  const app = createInstance(limits)
  app.server.maxConnections = limits.maxConnections
  addJsonParser(app)
  app.addHook('onResponse', async ({ method, routeOptions }, reply) => {
    const { statusCode: status, elapsedTime } = reply
    metrics.onRequest({ method, route: routeOptions.url ?? 'unknown', status }, elapsedTime / 1000)
  })
  addFailures(app, onNotice)
  await addSchemas(app)
  await addLimits(app, limits)
  addAdmission(app, tokens)
  app.addHook('preClose', async () => streams.closeAll())
  const groups = [
    addBaseRoutes,
    addDatasetRoutes,
    addEnqueueRoutes,
    addFeatureSetRoutes,
    addRunRoutes,
    addSweepRoutes,
    addPredictRoute,
    addArtifactRoutes,
    addJobRoutes,
    addOperationRoutes,
  ]
  for (const add of groups) add(app, context)
  return app
}
