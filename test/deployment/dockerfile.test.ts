import { readFile } from 'node:fs/promises'
import { validate } from 'dockerfile-utils'
import { describe, expect, test } from 'vitest'

const source = await readFile('Dockerfile', 'utf8')

/** Instructions without comments, continued lines joined. */
const instructions = source
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')

const stages = new Map<string, string[]>()
for (const line of instructions) {
  const name = /^FROM .+ AS (\S+)$/.exec(line)?.[1]
  if (name !== undefined) stages.set(name, [])
  ;[...stages.values()].at(-1)?.push(line)
}
const FINAL = ['gpu', 'cpu']

const stage = (name: string): string[] => {
  const found = stages.get(name)
  if (found === undefined) throw new Error(`the Dockerfile has no stage ${name}`)
  return found
}

describe('Dockerfile', () => {
  test('the linter has nothing to say', () => {
    expect(validate(source)).toEqual([])
  })

  test('an instruction that does not exist would be found', () => {
    expect(validate(`${source}\nENTRPOINT ["headstart"]\n`)).not.toEqual([])
  })

  test('ends with the image for CPUs, so that it is the default', () => {
    expect([...stages.keys()]).toEqual([
      'package',
      'modules',
      'cpu-modules',
      'gpu-modules',
      'gpu',
      'cpu',
    ])
  })

  test('starts from images of one exact version', () => {
    const images = instructions.filter((line) => line.startsWith('ARG '))
    expect(images.map((line) => line.split('=')[0])).toEqual(['ARG NODE_IMAGE', 'ARG CUDA_IMAGE'])
    for (const line of images) expect(line).toMatch(/:\d+\.\d+\.\d+-[a-z0-9.-]+$/)
    for (const line of instructions.filter((each) => each.startsWith('FROM ')))
      expect(line).toMatch(/^FROM (\$\{(NODE|CUDA)_IMAGE\}|modules) AS /)
  })

  test('runs a Node that this package allows', async () => {
    const { engines } = JSON.parse(await readFile('package.json', 'utf8')) as {
      engines: { node: string }
    }
    const least = /^>=(\d+)\.(\d+)$/.exec(engines.node)?.slice(1).map(Number) ?? []
    const given = /NODE_IMAGE=node:(\d+)\.(\d+)/.exec(source)?.slice(1).map(Number) ?? []
    expect(given[0]).toBe(least[0])
    expect(given[1]).toBeGreaterThanOrEqual(least[1] ?? Number.POSITIVE_INFINITY)
  })

  test.each(FINAL)('%s runs as a user without rights, in its volume, as one process', (name) => {
    const users = stage(name).filter((line) => line.startsWith('USER '))
    expect(users).toEqual(['USER 1000:1000'])
    expect(stage(name)).toContain('WORKDIR /data')
    expect(stage(name).slice(-2)).toEqual(['ENTRYPOINT ["headstart"]', 'CMD ["--help"]'])
    expect(stage(name).join('\n')).toContain('NODE_ENV=production')
  })

  test.each(FINAL)('%s is started once while it is built', (name) => {
    const runs = stage(name).filter((line) => line.startsWith('RUN '))
    expect(runs.at(-1)).toMatch(/&& headstart --version$/)
  })

  test.each(FINAL)('%s gets no compiler, no development package and no source', (name) => {
    const copies = stage(name).filter((line) => line.startsWith('COPY '))
    for (const line of copies) expect(line).toMatch(/^COPY --from=(package|(cpu|gpu)-modules) /)
    expect(stage('modules').join('\n')).toContain('npm ci --omit=dev --ignore-scripts')
  })

  test('the GPU image cannot be built without libtensorflow', () => {
    const [, run = ''] = stage('gpu-modules')
    expect(run).toMatch(/test -s \S+\/libtensorflow\.so\.2 && test -s \S+\/tfjs_binding\.node/)
    expect(stage('gpu').join('\n')).toMatch(/node -e "require\('\S+tfjs-node-gpu'\)"/)
  })

  test('copies the manifest before the sources, so that packages are installed once', () => {
    const lines = stage('package')
    const install = lines.findIndex((line) => line.includes('npm ci'))
    expect(lines.indexOf('COPY . .')).toBeGreaterThan(install)
    expect(lines[install - 1]).toBe('COPY package.json package-lock.json ./')
  })

  test('holds no secret and downloads nothing by itself', () => {
    expect(source).not.toMatch(/^ADD |curl |wget |apt-get |(TOKEN|SECRET|PASSWORD|ACCESS_KEY)/m)
  })
})

describe('.dockerignore', () => {
  const rulesOf = async () =>
    (await readFile('.dockerignore', 'utf8')).split('\n').filter((line) => /^[^#]/.test(line))

  test('lets in what is named, and nothing else', async () => {
    const rules = await rulesOf()
    expect(rules[0]).toBe('*')
    for (const closed of ['.env', '.git', 'node_modules', 'dist', 'test'])
      expect(rules).not.toContain(`!${closed}`)
  })

  test('lets in what the npm package holds', async () => {
    const rules = await rulesOf()
    const { files } = JSON.parse(await readFile('package.json', 'utf8')) as { files: string[] }
    for (const file of files.filter((name) => name !== 'dist')) expect(rules).toContain(`!${file}`)
  })
})
