import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { startHealthServer } from '../../../src/cli/process/health.js'

it('is live while it answers, and ready while it takes jobs', async () => {
  let isReady = false
  const server = await startHealthServer({ host: '127.0.0.1', port: 0 }, () => isReady)
  const ask = async (path: string) => {
    const response = await fetch(server.url + path)
    return [response.status, await response.json()]
  }
  expect(await ask('/health/live')).toEqual([200, { live: true }])
  expect(await ask('/health/ready')).toEqual([503, { ready: false }])
  isReady = true
  expect(await ask('/health/ready')).toEqual([200, { ready: true }])
  expect(await ask('/metrics')).toMatchObject([404, {}])
  await server.close()
  await expect(fetch(`${server.url}/health/live`)).rejects.toThrow()
})

it('says which address it cannot listen on', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  await expect(startHealthServer({ host: '127.0.0.1', port }, () => true)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  })
  taken.close()
})
