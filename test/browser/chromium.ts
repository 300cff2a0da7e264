// Owns the headless Chromium of the tests: unpacked from its npm package into a folder of its own, which is
// removed at the end. The package is for Linux on x64; elsewhere CHROME_PATH names a Chrome.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import puppeteer, { type Browser } from 'puppeteer-core'

const run = promisify(execFile)

const START_TIMEOUT_MS = 90_000

interface Chromium {
  readonly path: string
  readonly env: NodeJS.ProcessEnv
}

/** Sets variables of this process while `work` runs: the package reads them and has no other settings. */
const withVariables = async <T>(
  changes: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> => {
  const before = { ...process.env }
  Object.assign(process.env, changes)
  try {
    return await work()
  } finally {
    process.env = before
  }
}

/** The package's own fonts and no others, so that text has the same size on every system. */
const fontSettings = async (folder: string): Promise<string> => {
  const path = join(folder, 'fonts.conf')
  const cache = `<cachedir>${join(folder, 'font-cache')}</cachedir>`
  await writeFile(path, `<fontconfig><dir>${join(folder, 'fonts')}</dir>${cache}</fontconfig>`)
  return path
}

/** @param libraries also unpacks the shared libraries that the package brings for bare systems. */
const unpack = async (folder: string, libraries: boolean): Promise<Chromium> => {
  await mkdir(folder)
  const before = { ...process.env }
  const asked = libraries ? { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' } : {}
  return withVariables({ TMPDIR: folder, ...asked }, async () => {
    const { default: chromium } = await import('@sparticuz/chromium')
    const path = await chromium.executablePath()
    const env = { ...before, HOME: folder, FONTCONFIG_FILE: await fontSettings(folder) }
    return libraries
      ? { path, env: { ...env, LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') } }
      : { path, env }
  })
}

const starts = ({ path, env }: Chromium): Promise<boolean> =>
  run(path, ['--version'], { env }).then(
    () => true,
    () => false,
  )

const find = async (folder: string): Promise<Chromium> => {
  const { CHROME_PATH } = process.env
  if (CHROME_PATH !== undefined) return { path: CHROME_PATH, env: process.env }
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('the Chromium of these tests is for Linux on x64: set CHROME_PATH to a Chrome')
  const plain = await unpack(join(folder, 'plain'), false)
  return (await starts(plain)) ? plain : unpack(join(folder, 'with-libraries'), true)
}

/** A browser, and how to end it with all that it left. */
export const startChromium = async (): Promise<{
  readonly browser: Browser
  close(): Promise<void>
}> => {
  const folder = await mkdtemp(join(tmpdir(), 'headstart-chromium-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const { path, env } = await find(folder)
    const browser = await puppeteer.launch({
      executablePath: path,
      env,
      headless: 'shell',
      userDataDir: join(folder, 'profile'),
      timeout: START_TIMEOUT_MS,
      // Root in a container has no sandbox; only files of these tests are opened.
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    })
    return {
      browser,
      close: async () => {
        await browser.close()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}
