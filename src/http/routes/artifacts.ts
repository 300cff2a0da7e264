// Owns the files of a run: a list with signed links, and downloads that need nothing but the link.
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { HeadstartError } from '../../errors.js'
import { sha256Schema } from '../../features/shard.js'
import { runKeyPrefix } from '../../model/run-record.js'
import { isStoreKey } from '../../store/key.js'
import type { ObjectInfo, Store } from '../../store/port.js'
import type { App, HttpContext } from '../context.js'
import { problemResponses } from '../problem.js'
import { ARTIFACT_PATH } from '../signing.js'
import { referenceParams } from './references.js'

const artifactsSchema = z
  .strictObject({
    run: sha256Schema,
    expires: z.string().describe('ISO 8601; the links end then'),
    items: z.array(
      z.strictObject({
        key: z.string(),
        bytes: z.int().nonnegative(),
        url: z.string().describe('path and signed query at this service'),
      }),
    ),
  })
  .meta({ id: 'Artifacts' })

/** Only what belongs to a run is ever handed out. */
const RUN_KEY = /^runs\/[0-9a-f]{64}\/./

const CHUNK_BYTES = 4 * 2 ** 20

/** The object in parts. Its hash is checked before the last one leaves, so that no client keeps a wrong file. */
async function* verifiedChunks(store: Store, { key, bytes, sha256 }: ObjectInfo) {
  const hash = createHash('sha256')
  for (let start = 0; start < bytes; start += CHUNK_BYTES) {
    const chunk = await store.getRange(key, start, CHUNK_BYTES)
    if (chunk === null || chunk.length === 0) throw new Error(`${key} was removed`)
    hash.update(chunk)
    const isLast = start + chunk.length >= bytes
    if (isLast && hash.digest('hex') !== sha256)
      throw new HeadstartError('STORE_CORRUPT', `${key} does not have its recorded bytes`)
    yield chunk
  }
}

const typeOf = (key: string): string =>
  key.endsWith('.json') ? 'application/json' : 'application/octet-stream'

export const addArtifactRoutes = (app: App, context: HttpContext): void => {
  const { workspace, runs, signer, limits } = context
  const { store } = workspace

  app.route({
    method: 'GET',
    url: '/v1/runs/:reference/artifacts',
    schema: {
      tags: ['artifacts'],
      summary: 'The files of a run, with links that need no token',
      params: referenceParams,
      response: { 200: artifactsSchema, ...problemResponses },
    },
    handler: async ({ params }) => {
      const { runId } = await runs.find(params.reference)
      const expires = Math.ceil((Date.now() + limits.linkLifetimeMs) / 1000)
      const items = []
      for await (const { key, bytes } of store.list(runKeyPrefix(runId)))
        items.push({ key, bytes, url: signer.sign(key, expires) })
      return { run: runId, expires: new Date(expires * 1000).toISOString(), items }
    },
  })

  app.route({
    method: 'GET',
    url: `${ARTIFACT_PATH}*`,
    exposeHeadRoute: false,
    // A download takes as long as its client does; one that takes nothing for long is let go.
    handlerTimeout: limits.enqueueTimeoutMs,
    config: { open: true },
    schema: {
      tags: ['artifacts'],
      summary: 'One file, by a signed link',
      security: [],
      params: z.strictObject({ '*': z.string() }),
      querystring: z.strictObject({ expires: z.string(), signature: z.string() }),
      response: {
        200: {
          description: 'the file',
          content: { 'application/octet-stream': { schema: z.any() } },
        },
        ...problemResponses,
      },
    },
    handler: async ({ params, query }, reply) => {
      const key = params['*']
      signer.verify(key, query, Date.now())
      const info = RUN_KEY.test(key) && isStoreKey(key) ? await store.head(key) : null
      if (info === null) throw new HeadstartError('NOT_FOUND', 'the file was removed')
      const name = key.slice(key.lastIndexOf('/') + 1)
      reply.raw.setTimeout(limits.requestTimeoutMs, () => reply.raw.destroy())
      return reply
        .type(typeOf(key))
        .header('content-length', info.bytes)
        .header('content-disposition', `attachment; filename="${name}"`)
        .header('etag', `"${info.sha256}"`)
        .header('repr-digest', `sha-256=:${Buffer.from(info.sha256, 'hex').toString('base64')}:`)
        .send(Readable.from(verifiedChunks(store, info), { objectMode: false }))
    },
  })
}
