// What nobody should send: each gets its right status, and the service goes on as before.
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, install, nameBase, nameDataset, runTiny } from '../catalog/support.js'
import { pngOf, tinyPng } from '../support/tiny-images.js'
import {
  type Answer,
  ask,
  askPath,
  bearer,
  formOf,
  jsonBody,
  rawRequest,
  serve,
  type TestServer,
  TOKEN,
} from './support.js'

let place: Installation
let server: TestServer
/** Gives up early on clients that are slow. */
let hasty: TestServer
let run: string

beforeAll(async () => {
  place = await install()
  await nameBase(place, 'tiny')
  await nameDataset(place, 'colours')
  const { runs } = await runTiny(place, { name: 'best' })
  run = runs[0]?.id ?? ''
  server = await serve(place.workspace, {
    limits: { fileBytes: 200_000, uploadBytes: 450_000, maxFiles: 5 },
  })
  hasty = await serve(place.workspace, {
    limits: { headersTimeoutMs: 400, requestTimeoutMs: 800, connectionsCheckMs: 50 },
  })
})

const predictGood = (own = server) =>
  ask(own, '/v1/runs/best/predict', {
    method: 'POST',
    body: formOf([['good.png', tinyPng(0, 1)]]),
  })

afterEach(async () => {
  const { status, body } = await predictGood()
  expect([status, body.predictions?.[0]?.ok], 'the service is unharmed').toEqual([200, true])
  expect([...server.notices, ...hasty.notices], 'nothing was unexpected').toEqual([])
})

const expectProblem = (answer: Answer, status: number, code: string, what = ''): void => {
  expect([answer.status, answer.body?.code], what).toEqual([status, code])
  expect(answer.type, what).toContain('application/problem+json')
  expect(JSON.stringify(answer.body), what).not.toMatch(/node_modules|\bat .*:\d+:\d+/)
}

const post = (body: unknown, path = '/v1/extractions') => ask(server, path, jsonBody(body))

describe('bodies', () => {
  it('of 10 MB of JSON are too large, announced or not', async () => {
    const text = JSON.stringify({ base: 'x'.repeat(10_000_000) })
    expectProblem(await post(text), 413, 'BODY_TOO_LARGE')
    const chunk = new TextEncoder().encode(text.slice(0, 100_000))
    let sent = 0
    const stream = new ReadableStream({
      pull: (controller) => {
        sent += chunk.length
        if (sent > 10_000_000) controller.close()
        else controller.enqueue(chunk)
      },
    })
    const init = { ...jsonBody(''), body: stream, duplex: 'half' } as RequestInit
    // The connection may break while the rest is still being sent.
    const answer = await ask(server, '/v1/extractions', init).catch(() => null)
    if (answer !== null) expectProblem(answer, 413, 'BODY_TOO_LARGE')
    expect(sent).toBeLessThan(10_000_000)
  })

  it('that nest too deep are refused before anything walks them', async () => {
    for (const text of [
      '['.repeat(500_000),
      '['.repeat(65) + ']'.repeat(65),
      `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
    ])
      expectProblem(await post(text), 400, 'REQUEST_INVALID', text.slice(0, 20))
    const nested = `{"base":${'['.repeat(40)}${']'.repeat(40)}}`
    expectProblem(await post(nested), 400, 'REQUEST_INVALID')
  })

  it('that reach for prototypes are refused', async () => {
    for (const text of [
      '{"__proto__":{"admin":true}}',
      '{"base":{"from":"tiny","cut":"pool","__proto__":{}}}',
      '{"constructor":{"prototype":{"admin":true}}}',
    ])
      expectProblem(await post(text), 400, 'REQUEST_INVALID', text)
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it('that are no JSON, or of another type or encoding, are named so', async () => {
    for (const text of ['', '{', 'nil', '{"a":1}x', '\u0000', '[1,]'])
      expectProblem(await post(text), 400, 'REQUEST_INVALID', text)
    const typed = (
      type: string,
      body: string | Uint8Array<ArrayBuffer>,
      more: Record<string, string> = {},
    ) => {
      const headers = { 'content-type': type, ...more }
      return ask(server, '/v1/extractions', { method: 'POST', headers, body })
    }
    expectProblem(await typed('text/plain', '{}'), 415, 'MEDIA_TYPE')
    expectProblem(await typed('application/xml', '<a/>'), 415, 'MEDIA_TYPE')
    const zipped = new Uint8Array(gzipSync(Buffer.alloc(50_000_000)))
    const encoding = { 'content-encoding': 'gzip' }
    expectProblem(await typed('application/json', zipped, encoding), 415, 'MEDIA_TYPE')
  })

  it('report all their faults at once', async () => {
    const { status, body } = await post({ base: { from: 1 }, dataset: { from: 'a', b: 1 }, c: 1 })
    expect([status, body.code]).toEqual([400, 'REQUEST_INVALID'])
    expect(body.details.length).toBeGreaterThanOrEqual(4)
    expect(body.details.join('\n')).toMatch(/base\.from[\s\S]*base\.cut[\s\S]*dataset[\s\S]*"c"/)
  })
})

describe('slow clients', () => {
  it('that do not finish their headers are let go with 408', async () => {
    const parts = ['GET /v1/runs HTTP/1.1\r\nhost: 127.0.0.1\r\n', ...Array(8).fill('x-a: b\r\n')]
    const answer = await rawRequest(hasty, parts, 150)
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(answer).toContain('"code":"REQUEST_TIMEOUT"')
  })

  it('that do not finish their body are let go with 408', async () => {
    const head = [
      'POST /v1/extractions HTTP/1.1',
      'host: 127.0.0.1',
      'content-type: application/json',
      'content-length: 1000',
    ].join('\r\n')
    const answer = await rawRequest(hasty, [`${head}\r\n\r\n{`, ...Array(12).fill(' ')], 150)
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  })

  const BEGINNING = 'POST /v1/runs/best/predict HTTP/1.1\r\nhost: 127.0.0.1\r\n'

  it('that are a hundred are let go with 408, too', async () => {
    const slow = Array.from({ length: 100 }, () => rawRequest(hasty, [BEGINNING], 10))
    for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('that never end, a hundred of them, keep nobody else waiting', async () => {
    const slow = Array.from({ length: 100 }, () => connect(server.port, '127.0.0.1'))
    await Promise.all(slow.map((socket) => once(socket, 'connect')))
    for (const socket of slow) socket.write(BEGINNING)
    expect((await predictGood()).status).toBe(200)
    // They were not let go first.
    for (const { readyState, bytesRead } of slow)
      expect([readyState, bytesRead]).toEqual(['open', 0])
    for (const socket of slow) socket.destroy()
  })
})

describe('requests that are hardly any', () => {
  it('get an answer in the same form', async () => {
    const garbage = await rawRequest(server, ['NONSENSE\r\n\r\n'])
    expect(garbage).toMatch(
      /^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*REQUEST_INVALID/,
    )
    const smuggled = await rawRequest(server, [
      'POST /v1/runs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ])
    expect(smuggled).toMatch(/^HTTP\/1\.1 400 /)
    const large = await rawRequest(server, [
      `GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`,
    ])
    expect(large).toMatch(/^HTTP\/1\.1 431 [\s\S]*HEADERS_TOO_LARGE/)
  })

  it('by wrong methods and unknown paths say so', async () => {
    expectProblem(await ask(server, '/v1/nothing'), 404, 'ROUTE_UNKNOWN')
    expectProblem(await ask(server, '/'), 404, 'ROUTE_UNKNOWN')
    const wrong = await ask(server, '/v1/runs/best/predict')
    expectProblem(wrong, 405, 'METHOD_NOT_ALLOWED')
    expect(wrong.headers.get('allow')).toBe('POST')
    const put = await ask(server, '/v1/runs/best', { method: 'PUT' })
    expectProblem(put, 405, 'METHOD_NOT_ALLOWED')
    expect(put.headers.get('allow')).toBe('GET, HEAD, DELETE')
  })
})

describe('paths and ids', () => {
  it('lead nowhere but to what they name', async () => {
    const tricks = [
      '..%2f..%2fetc%2fpasswd',
      '%2e%2e',
      '..%5c..',
      '%00',
      'best%00',
      'best%2f..%2fbest',
      'best.json',
      '.',
      '*',
      '%25',
      '$%7Brun%7D',
      '__proto__',
      'constructor',
      "'%20or%201=1",
      'BEST%0d%0ax-injected:%201',
      '%F0%9F%98%80',
      'a'.repeat(200),
    ]
    for (const kind of ['runs', 'bases', 'datasets', 'feature-sets'])
      for (const trick of tricks) {
        const answer = await askPath(server, `/v1/${kind}/${trick}`)
        expect([400, 404], `${kind} ${trick}`).toContain(answer.status)
        expect(answer.headers.get('x-injected')).toBeNull()
      }
    for (const path of ['/v1/../v1/none', '//v1/runs', '/v1//runs', '/V1/runs', '/v1/runs/best/'])
      expect((await askPath(server, path)).status, path).toBe(404)
  })

  it('that are malformed or too long are refused', async () => {
    expectProblem(await ask(server, '/v1/runs/%zz'), 400, 'REQUEST_INVALID')
    expectProblem(await ask(server, `/v1/runs/${'a'.repeat(201)}`), 414, 'URL_TOO_LONG')
    expectProblem(await ask(server, `/v1/runs?x=${'a'.repeat(5_000)}`), 414, 'URL_TOO_LONG')
  })

  it('with unknown or wrong query values are refused', async () => {
    expectProblem(await ask(server, '/v1/jobs?limit=0'), 400, 'REQUEST_INVALID')
    expectProblem(await ask(server, '/v1/jobs?limit=1&limit=2'), 400, 'REQUEST_INVALID')
    expectProblem(await ask(server, '/v1/jobs?nope=1'), 400, 'REQUEST_INVALID')
    expectProblem(await ask(server, '/v1/jobs?kind=__proto__'), 400, 'REQUEST_INVALID')
  })
})

describe('files', () => {
  const predict = (files: Parameters<typeof formOf>[0]) =>
    ask(server, '/v1/runs/best/predict', { method: 'POST', body: formOf(files) })

  /** Claims 900 megapixels and has none. */
  const lying = pngOf(30_000, 30_000, new Uint8Array(0))

  it('that are decompression bombs are invalid samples', async () => {
    // 192 MB of pixels in 190 kB.
    const real = pngOf(8_000, 8_000, Buffer.alloc(8_000 * (3 * 8_000 + 1)))
    expect(real.length).toBeLessThan(200_000)
    for (const content of [lying, real]) {
      const answer = await predict([['bomb.png', content]])
      expectProblem(answer, 422, 'SAMPLE_INVALID')
      expect(answer.body.details).toEqual(['bomb.png: the PNG image has more than 50000000 pixels'])
    }
  })

  it('that cannot be decoded are named, and the others predicted', async () => {
    const good = tinyPng(1, 7)
    const { status, body } = await predict([
      ['text.png', Buffer.from('no image')],
      ['good.png', good],
      ['cut.png', good.subarray(0, 60)],
      ['vector.svg', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
      ['bomb.png', lying],
    ])
    expect(status).toBe(200)
    expect(
      body.predictions.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]),
    ).toEqual([
      ['text.png', false],
      ['good.png', true],
      ['cut.png', false],
      ['vector.svg', false],
      ['bomb.png', false],
    ])
  })

  it('that are too large or too many are refused', async () => {
    expectProblem(await predict([['a', Buffer.alloc(200_001)]]), 413, 'BODY_TOO_LARGE')
    const three = Array.from({ length: 3 }, () => ['a', Buffer.alloc(199_000)] as const)
    expectProblem(await predict(three), 413, 'BODY_TOO_LARGE')
    const six = Array.from({ length: 6 }, () => ['a', tinyPng(0, 1)] as const)
    expectProblem(await predict(six), 413, 'BODY_TOO_LARGE')
    const huge = Array.from({ length: 20 }, () => ['a', Buffer.alloc(90_000)] as const)
    const answer = await predict(huge).catch(() => null)
    if (answer !== null) expectProblem(answer, 413, 'BODY_TOO_LARGE')
  })

  it('that are refused do not block the connection that they came by', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const send = async (files: Parameters<typeof formOf>[0]): Promise<number> => {
      const form = new Response(formOf(files))
      const body = Buffer.from(await form.arrayBuffer())
      const headers = {
        'content-type': form.headers.get('content-type') ?? '',
        'content-length': body.length,
      }
      const outgoing = request(`${server.url}/v1/runs/best/predict`, {
        ...{ method: 'POST', headers, agent },
      })
      outgoing.end(body)
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      response.resume()
      await once(response, 'end')
      return response.statusCode ?? 0
    }
    const good = ['a', tinyPng(0, 1)] as const
    const large = ['a', Buffer.alloc(190_000)] as const
    for (const files of [
      Array(6).fill(good),
      [large, large, large],
      [large, ...Array(6).fill(good)],
    ])
      expect([await send(files), await send([good])]).toEqual([413, 200])
    agent.destroy()
  })

  it('in forms that are broken are refused', async () => {
    const send = (type: string, body: string) =>
      ask(server, '/v1/runs/best/predict', {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      })
    const form = 'multipart/form-data; boundary=b'
    const part = '--b\r\ncontent-disposition: form-data; name="f"; filename="a.png"\r\n\r\nx'
    expectProblem(await send('application/json', '{}'), 415, 'MEDIA_TYPE')
    expectProblem(await send(form, ''), 400, 'INPUT_MISSING')
    expectProblem(await send(form, '--b--\r\n'), 400, 'INPUT_MISSING')
    for (const [type, body] of [
      ['multipart/form-data', part],
      [form, part],
      [form, 'nonsense'],
      [form, `${part.replace('name="f"', 'name="__proto__"')}\r\n--b--\r\n`],
      [form, '--b\r\ncontent-disposition: form-data; name="f"\r\n\r\nvalue\r\n--b--\r\n'],
    ] as const)
      expectProblem(await send(type, body), 400, 'REQUEST_INVALID', body)
    const none = await ask(server, '/v1/runs/best/predict', { method: 'POST' })
    expectProblem(none, 415, 'MEDIA_TYPE')
  })

  it('sent by clients that go away in the middle leave nothing behind', async () => {
    const head = [
      'POST /v1/runs/best/predict HTTP/1.1',
      'host: 127.0.0.1',
      'content-type: multipart/form-data; boundary=b',
      'content-length: 90000',
    ].join('\r\n')
    const part = '--b\r\ncontent-disposition: form-data; name="f"; filename="a.png"\r\n\r\nx'
    const answers = Array.from({ length: 20 }, () => rawRequest(hasty, [`${head}\r\n\r\n${part}`]))
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^(HTTP\/1\.1 4|$)/)
  })
})

describe('too many requests', () => {
  it('are told to wait, but the service stays alive', async () => {
    const own = await serve(place.workspace, { limits: { rateMax: 20, rateWindowMs: 60_000 } })
    const statuses = []
    for (let i = 0; i < 25; i += 1) statuses.push((await ask(own, '/v1/runs')).status)
    expect(statuses).toEqual([...Array(20).fill(200), ...Array(5).fill(429)])
    const refused = await ask(own, '/none')
    expectProblem(refused, 429, 'RATE_LIMITED')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await ask(own, '/health/live')).status).toBe(200)
  })

  it('with wrong tokens are limited, too', async () => {
    const limits = { rateMax: 5, rateWindowMs: 60_000 }
    const own = await serve(place.workspace, { token: TOKEN, limits })
    const statuses = []
    for (let i = 0; i < 7; i += 1)
      statuses.push((await ask(own, '/v1/runs', bearer('guess'))).status)
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429])
  })

  it('for predictions are refused when too many samples wait', async () => {
    const own = await serve(place.workspace, { limits: { waitingSamples: 1 } })
    const files = [1, 2, 3].map((seed) => [`${seed}.png`, tinyPng(0, seed)] as const)
    const answer = await ask(own, '/v1/runs/best/predict', { method: 'POST', body: formOf(files) })
    expectProblem(answer, 503, 'SERVICE_BUSY')
    expect(answer.headers.get('retry-after')).toBe('1')
    expect((await predictGood(own)).status).toBe(200)
  })

  it('with files are refused when their bytes fill the memory, which is given back', async () => {
    const own = await serve(place.workspace, { limits: { uploadBytesInMemory: 1_000 } })
    for (let i = 0; i < 3; i += 1) {
      const files = [['a.png', Buffer.alloc(2_000)]] as const
      const init = { method: 'POST', body: formOf(files) }
      expectProblem(await ask(own, `/v1/runs/${run}/predict`, init), 503, 'SERVICE_BUSY')
      expect((await predictGood(own)).status).toBe(200)
    }
  })
})
