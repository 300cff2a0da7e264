// Owns which service a command goes through: the `headstart up` of its folder, or the Redis that
// HEADSTART_QUEUE names, or none. What was asked for explicitly is never passed over in silence.
import { HeadstartError } from '../../errors.js'
import { kindOfAddress } from '../../queue/address.js'
import type { Service } from '../../queue/types.js'
import { VERSION } from '../../version.js'
import type { Context } from '../context.js'
import { findUp, type UpRecord } from './up-record.js'

export interface ChosenService {
  readonly service: Service
  /** Where its results are. */
  readonly storeUrl: string
  close(): Promise<void>
}

export const isRedis = (url: string | undefined): url is string =>
  url !== undefined && kindOfAddress(url) === 'redis'

const redisPlace = (url: string): string => {
  if (!URL.canParse(url)) return url
  const { hostname, port, pathname } = new URL(url)
  return [hostname, port || '6379', pathname.replace(/^\//, '') || '0'].join('/')
}

/** Why this command cannot go through a service that runs; null when it can. */
const objectionTo = (up: UpRecord, context: Context): string | null => {
  const { storeUrl, workspace, config } = context
  const at = `the service at ${up.url}`
  if (storeUrl !== undefined && workspace.store.url !== up.store)
    return `${at} keeps its results in ${up.store}, not in ${workspace.store.url}`
  if (isRedis(config.queueUrl) && redisPlace(config.queueUrl) !== redisPlace(up.queue))
    return `${at} uses the queue ${up.queue}, not the one that HEADSTART_QUEUE names`
  return null
}

const openUp = async (up: UpRecord, { workspace, progress }: Context): Promise<ChosenService> => {
  const say = progress.events.onNotice
  if (up.version !== VERSION)
    say?.(`the service at ${up.url} is version ${up.version}, this command ${VERSION}: restart it`)
  if (up.store !== workspace.store.url)
    say?.(`results go to ${up.store}; set HEADSTART_STORE to it to work with them here`)
  const { createHttpService } = await import('../../http/client.js')
  const service = createHttpService({ url: up.url, token: up.token })
  return { service, storeUrl: up.store, close: () => service.close() }
}

const openRedis = async (url: string, { workspace }: Context): Promise<ChosenService> => {
  const { openBackend } = await import('../../queue/backend.js')
  const { createService } = await import('../../queue/service.js')
  const backend = await openBackend(url)
  const service = createService(backend, workspace)
  const close = async (): Promise<void> => {
    await service.close()
    await backend.close()
  }
  return { service, storeUrl: workspace.store.url, close }
}

const open = async (
  context: Context,
): Promise<{ readonly chosen: ChosenService | null; readonly objection: string | null }> => {
  const { config, folder } = context
  const up = await findUp(folder)
  const objection = up === null ? null : objectionTo(up, context)
  if (up !== null && objection === null) return { chosen: await openUp(up, context), objection }
  const chosen = isRedis(config.queueUrl) ? await openRedis(config.queueUrl, context) : null
  return { chosen, objection }
}

/** The service of a command that can also work by itself; null: it does so. Close it. */
export const openService = async (context: Context): Promise<ChosenService | null> => {
  const { chosen, objection } = await open(context)
  if (chosen === null && objection !== null)
    context.progress.events.onNotice?.(`${objection}: working in this process`)
  return chosen
}

/**
 * The service of a command that needs one. Close it.
 *
 * @throws QUEUE_UNAVAILABLE when there is none.
 */
export const requireService = async (context: Context): Promise<ChosenService> => {
  const { chosen, objection } = await open(context)
  if (chosen !== null) return chosen
  const why = objection ?? 'no service runs here'
  const start = 'start one with `headstart up`, or set HEADSTART_QUEUE=redis://host:port'
  throw new HeadstartError('QUEUE_UNAVAILABLE', `${why}: ${start}`)
}

/** Runs work with a service and closes it. */
export const withService = async <T>(
  chosen: ChosenService,
  work: (chosen: ChosenService) => Promise<T>,
): Promise<T> => {
  try {
    return await work(chosen)
  } finally {
    await chosen.close()
  }
}
