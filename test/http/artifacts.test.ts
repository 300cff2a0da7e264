// Signed downloads: the exact files of a run, for whoever has the link, and nothing else.
import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { createLinkSigner } from '../../src/http/signing.js'
import { type Installation, install, nameBase, runTiny } from '../catalog/support.js'
import { ask, askPath, bearer, serve, type TestServer, TOKEN } from './support.js'

let place: Installation
let server: TestServer
let runId: string
let links: { key: string; bytes: number; url: string }[]

beforeAll(async () => {
  place = await install()
  await nameBase(place, 'tiny')
  const { runs } = await runTiny(place, { name: 'best' })
  runId = runs[0]?.id ?? ''
  server = await serve(place.workspace, { token: TOKEN })
  links = (await ask(server, '/v1/runs/best/artifacts', bearer(TOKEN))).body.items
})

const linkTo = (key: string, seconds = 60, token = TOKEN): string =>
  createLinkSigner(token).sign(key, Math.floor(Date.now() / 1000) + seconds)

describe('the artifacts of a run', () => {
  it('are listed to those who have the token, with links that need none', async () => {
    expect((await ask(server, '/v1/runs/best/artifacts')).status).toBe(401)
    expect(links.map(({ key }) => key)).toContain(`runs/${runId}/run.json`)
    for (const { key, bytes, url } of links) {
      const response = await server.fetch(url)
      const content = Buffer.from(await response.arrayBuffer())
      expect(response.status).toBe(200)
      expect(content.equals((await place.store.get(key)) ?? Buffer.alloc(0)), key).toBe(true)
      const digest = createHash('sha256').update(content).digest('base64')
      expect(response.headers.get('repr-digest')).toBe(`sha-256=:${digest}:`)
      expect(response.headers.get('content-length')).toBe(String(bytes))
      expect(response.headers.get('content-disposition')).toMatch(
        /^attachment; filename="[\w.-]+"$/,
      )
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    }
  })

  it('are not given for an edited link, whatever was edited', async () => {
    const [link] = links
    if (link === undefined) throw new Error('no artifact')
    const other = links[1]?.key ?? ''
    const { url, key } = link
    const edited = [
      url.replace(key, other),
      url.replace(/expires=(\d+)/, (_, seconds) => `expires=${Number(seconds) + 1}`),
      url.replace(/signature=./, (text) => `signature=${text.endsWith('A') ? 'B' : 'A'}`),
      url.replace(/signature=.*/, 'signature='),
      `${url}A`,
      `${url}=`,
      url.replace(key, key.replace('/', '//')),
      url.replace(key, `runs/../${key}`),
      url.replace(key, key.replace('runs', 'runs/%2e%2e/runs')),
      url.replace(key, `${key}%00`),
      linkTo(key, -1),
      linkTo(key, 60, 'another token'),
    ]
    for (const path of edited) {
      const { status, body } = await askPath(server, path)
      expect([status, body.code], path).toEqual([403, 'FORBIDDEN'])
    }
    for (const path of [url.replace(/\?.*/, ''), `${url}&signature=A`, `${url}&x=1`])
      expect((await ask(server, path)).status, path).toBe(400)
    for (const method of ['HEAD', 'PUT', 'DELETE'])
      expect((await server.fetch(url, { method })).status, method).not.toBe(200)
  })

  it('are all that a link can name, even one that is signed', async () => {
    const baseKeys = []
    for await (const { key } of place.store.list(''))
      if (!key.startsWith('runs/')) baseKeys.push(key)
    expect(baseKeys.length).toBeGreaterThan(3)
    const tricks = [`runs/${runId}`, 'runs/x/run.json', `runs/${runId}/none`, '../x', 'runs']
    for (const key of [...baseKeys, ...tricks, `runs/${runId}/../../names/run/best.json`]) {
      const { status } = await askPath(server, linkTo(key))
      expect([403, 404], key).toContain(status)
    }
  })

  it('never arrive whole when the store has other bytes than it recorded', async () => {
    const folder = join(place.folder, '.headstart/store/runs', runId, 'head')
    const weights = (await readdir(folder)).find((name) => name.endsWith('.bin')) ?? ''
    const key = `runs/${runId}/head/${weights}`
    const good = await place.store.get(key)
    if (good === null) throw new Error('no weights')
    const bad = Buffer.from(good)
    bad[5] = (bad[5] ?? 0) ^ 1
    await writeFile(join(folder, weights), bad)
    const got = await server
      .fetch(linkTo(key))
      .then(async (response) => (response.ok ? response.arrayBuffer() : null))
      .catch(() => null)
    expect(got).toBeNull()
    await writeFile(join(folder, weights), good)
    expect((await server.fetch(linkTo(key))).status).toBe(200)
  })
})
