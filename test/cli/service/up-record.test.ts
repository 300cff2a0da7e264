import { once } from 'node:events'
import { stat, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  findUp,
  removeUpRecord,
  type UpRecord,
  writeUpRecord,
} from '../../../src/cli/service/up-record.js'
import { makeFolder } from '../../support/folders.js'

let folder: string
let server: Server | undefined

beforeEach(async () => {
  folder = await makeFolder()
})
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
  server = undefined
})

const serve = async (listener: RequestListener): Promise<string> => {
  server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const recordOf = (url: string): UpRecord => ({
  ...{ url, token: 'secret', pid: process.pid, version: '1' },
  store: 'file:///store',
  queue: '/queue',
})

it('finds a service that answers, and only its user may read the record', async () => {
  const record = recordOf(await serve((_, response) => response.end('{}')))
  await writeUpRecord(folder, record)
  expect(await findUp(folder)).toEqual(record)
  const { mode } = await stat(join(folder, '.headstart/up.json'))
  expect(mode & 0o777).toBe(0o600)
})

it.each([
  ['nothing', undefined],
  ['no JSON', '{"url":'],
  ['something else', '{"port":1}'],
])('finds none where up.json holds %s', async (_, text) => {
  await writeUpRecord(folder, recordOf('http://127.0.0.1:1'))
  if (text === undefined) await removeUpRecord(folder, recordOf(''))
  else await writeFile(join(folder, '.headstart/up.json'), text)
  expect(await findUp(folder)).toBeNull()
})

it('takes a port where nobody listens, and one where another program answers, for a killed service', async () => {
  await writeUpRecord(folder, recordOf('http://127.0.0.1:1'))
  expect(await findUp(folder)).toBeNull()
  const url = await serve((_, response) => response.writeHead(404).end())
  await writeUpRecord(folder, recordOf(url))
  expect(await findUp(folder)).toBeNull()
})

it('says that a service is silent, instead of working beside it', async () => {
  const url = await serve(() => undefined)
  await writeUpRecord(folder, recordOf(url))
  await expect(findUp(folder)).rejects.toMatchObject({
    code: 'QUEUE_UNAVAILABLE',
    message: expect.stringContaining(`process ${process.pid}`),
  })
})

it('removes its own record, and no other', async () => {
  const record = recordOf(await serve((_, response) => response.end('{}')))
  await writeUpRecord(folder, record)
  await removeUpRecord(folder, { ...record, token: 'another' })
  expect(await findUp(folder)).toEqual(record)
  await removeUpRecord(folder, record)
  expect(await findUp(folder)).toBeNull()
})
