// Who may come in: tokens, addresses, pages of other origins; and which sources a caller may name.
import { request, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { startServer } from '../../src/http/server.js'
import { type Installation, install, nameBase, nameDataset } from '../catalog/support.js'
import { failureOf } from '../dataset/support.js'
import { serveFolder } from '../support/http-folder.js'
import {
  ask,
  bearer,
  jsonBody,
  OWNER_TOKEN,
  queueAway,
  serve,
  type TestServer,
  TOKEN,
} from './support.js'

let place: Installation
beforeAll(async () => {
  place = await install()
  await nameBase(place, 'tiny')
  await nameDataset(place, 'colours')
})

const statusWith = (server: TestServer, path: string, headers: Record<string, string>) =>
  new Promise<number>((resolve, reject) => {
    const { port } = server
    const outgoing = request({ host: '127.0.0.1', port, path, headers, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    outgoing.once('error', reject).end()
  })

describe('a service with a token', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await serve(place.workspace, { token: TOKEN, ownerToken: OWNER_TOKEN })
  })

  it('asks everybody for it, but for health', async () => {
    const paths = ['/v1/runs', '/v1/jobs', '/metrics', '/openapi.json', '/none', '/v1/bases/tiny']
    for (const path of paths) {
      const { status, body, headers } = await ask(server, path)
      expect([status, body.code], path).toEqual([401, 'UNAUTHORIZED'])
      expect(headers.get('www-authenticate'), path).toBe('Bearer')
    }
    expect((await ask(server, '/health/live')).status).toBe(200)
    expect((await ask(server, '/v1/runs', bearer(TOKEN))).status).toBe(200)
    expect((await ask(server, '/v1/runs', bearer(OWNER_TOKEN))).status).toBe(200)
  })

  it.each([
    ['another', 'Bearer another-token-of-the-tests'],
    ['one more character', `Bearer ${TOKEN}x`],
    ['one less', `Bearer ${TOKEN.slice(0, -1)}`],
    ['another scheme', `Basic ${TOKEN}`],
    ['no scheme', TOKEN],
    ['two tokens', `Bearer x, Bearer ${TOKEN}`],
    ['an empty one', 'Bearer '],
    ['a very long one', `Bearer ${'x'.repeat(8_000)}`],
  ])('refuses %s', async (_, authorization) => {
    const { status, body } = await ask(server, '/v1/runs', { headers: { authorization } })
    expect([status, body.code]).toEqual([401, 'UNAUTHORIZED'])
  })

  it('refuses before it reads a body, and never takes the token from the query', async () => {
    const body = jsonBody('[['.repeat(100_000))
    expect((await ask(server, '/v1/extractions', body)).status).toBe(401)
    expect((await ask(server, `/v1/runs?token=${TOKEN}`)).status).toBe(401)
  })

  it('may be called by any name', async () => {
    const authorization = `Bearer ${TOKEN}`
    const headers = { authorization, host: 'models.example.com' }
    expect(await statusWith(server, '/v1/runs', headers)).toBe(200)
  })
})

describe('a service without a token', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await serve(place.workspace, { ownerToken: OWNER_TOKEN })
  })

  it('does not start on another address than loopback', async () => {
    const options = { service: queueAway, workspace: place.workspace, port: 0, allowedSources: [] }
    for (const host of ['0.0.0.0', '::', '192.0.2.1']) {
      const failure = await failureOf(startServer({ ...options, host, ownerToken: OWNER_TOKEN }))
      expect([failure.code, failure.message], host).toEqual([
        'CONFIG_INVALID',
        expect.stringContaining('HEADSTART_TOKEN'),
      ])
    }
  })

  it('answers to the names of this machine only, so that no page can point its own there', async () => {
    const { port } = server
    const statuses = new Map([
      [`127.0.0.1:${port}`, 200],
      [`localhost:${port}`, 200],
      [`LOCALHOST:${port}`, 200],
      [`[::1]:${port}`, 200],
      [`evil.example.com:${port}`, 403],
      ['127.0.0.1.evil.example.com', 403],
      ['localhost.evil.example.com', 403],
    ])
    for (const [host, status] of statuses)
      expect(await statusWith(server, '/v1/runs', { host }), host).toBe(status)
  })

  it('refuses pages of other origins, and allows none to read', async () => {
    const host = `127.0.0.1:${server.port}`
    const from = (origin: string) => statusWith(server, '/v1/runs', { host, origin })
    expect(await from(`http://${host}`)).toBe(200)
    for (const origin of ['http://evil.example.com', 'null', 'http://127.0.0.1:1', ''])
      expect(await from(origin), origin).toBe(403)
    const answer = await server.fetch('/v1/runs')
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('refuses a wrong token all the same', async () => {
    expect((await ask(server, '/v1/runs', bearer('wrong'))).status).toBe(401)
  })
})

describe('the sources that a caller may name', () => {
  const register = (server: TestServer, from: string, token?: string) =>
    ask(server, '/v1/bases', {
      ...jsonBody({ from }),
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    })

  it('are what is registered, and no file of the machine', async () => {
    const server = await serve(place.workspace, { ownerToken: OWNER_TOKEN })
    expect((await register(server, 'tiny')).status).toBe(201)
    const folder = join(place.folder, 'base')
    expect((await register(server, folder, OWNER_TOKEN)).status).toBe(201)
    const cases = [
      [folder, 403, 'SOURCE_NOT_ALLOWED'],
      ['/etc/passwd', 403, 'SOURCE_NOT_ALLOWED'],
      ['./base', 400, 'REQUEST_INVALID'],
      ['../base', 400, 'REQUEST_INVALID'],
      [`file://${folder}`, 400, 'REQUEST_INVALID'],
      ['base', 404, 'NOT_FOUND'],
      ['f'.repeat(64), 404, 'NOT_FOUND'],
      ['http://127.0.0.1:1/model.json', 403, 'SOURCE_NOT_ALLOWED'],
      ['HTTP://169.254.169.254/latest/', 403, 'SOURCE_NOT_ALLOWED'],
      ['http://', 400, 'REQUEST_INVALID'],
      ['s3://bucket/base', 403, 'SOURCE_NOT_ALLOWED'],
      ['S3://bucket/base', 400, 'REQUEST_INVALID'],
    ] as const
    for (const [from, status, code] of cases) {
      const answer = await register(server, from)
      expect([answer.status, answer.body.code], from).toEqual([status, code])
    }
    const relative = await register(server, './base', OWNER_TOKEN)
    expect(relative.status).toBe(400)
    // The owner's command line could fetch it by itself; nobody answers there.
    const url = await register(server, 'http://127.0.0.1:1/model.json', OWNER_TOKEN)
    expect([url.status, url.body.code]).toEqual([502, 'BASE_DOWNLOAD_FAILED'])
  })

  it('hold for datasets and their labels', async () => {
    const server = await serve(place.workspace, { allowedSources: ['s3://images/train'] })
    const add = (body: object) => ask(server, '/v1/datasets', jsonBody({ name: 'x', ...body }))
    const cases = [
      [{ from: join(place.folder, 'images') }, 403],
      [{ from: 'images' }, 404],
      [{ from: 's3://images/training' }, 403],
      [{ from: 's3://images/train/../x' }, 400],
      [{ from: 'colours', labels: '/etc/passwd' }, 403],
      [{ from: 'colours', labels: 'labels.csv' }, 400],
      [{ from: 'colours', labels: 's3://images/labels.csv' }, 403],
      [{ from: 'http://127.0.0.1/x.csv' }, 400],
    ] as const
    for (const [body, status] of cases)
      expect((await add(body)).status, JSON.stringify(body)).toBe(status)
    expect((await add({ from: 'colours' })).status).toBe(201)
  })

  it('are fetched from allow-listed hosts, whose redirects lead to no others', async () => {
    const secret = await serveFolder(join(place.folder, 'base'))
    const redirect = (to: string) => (response: ServerResponse) => {
      response.writeHead(302, { location: to }).end()
    }
    const listed = await serveFolder(join(place.folder, 'base'), {
      '/to/model.json': redirect(`${secret.url}/model.json`),
      '/near/model.json': redirect('/model.json'),
      '/near/weights.bin': redirect('/weights.bin'),
      '/round/model.json': redirect('/round/model.json'),
    })
    const host = new URL(listed.url).host
    const server = await serve(place.workspace, { allowedSources: [host] })
    expect((await register(server, listed.url)).status).toBe(201)
    expect((await register(server, `${listed.url}/near`)).status).toBe(201)
    const elsewhere = await register(server, `${listed.url}/to`)
    expect([elsewhere.status, elsewhere.body.code]).toEqual([403, 'SOURCE_NOT_ALLOWED'])
    expect((await register(server, `${listed.url}/round`)).status).toBe(502)
    expect((await register(server, secret.url)).status).toBe(403)
    expect(secret.asked).toEqual([])
    await secret.stop()
    await listed.stop()
  })
})
