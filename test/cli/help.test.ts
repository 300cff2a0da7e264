import { describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.js'
import { makeFolder } from '../support/folders.js'

const help = async (path: readonly string[]): Promise<string> => {
  const result = await runCli([...path, '--help'], { cwd: await makeFolder() })
  expect(result.code, result.stderr).toBe(0)
  expect(result.stderr).toBe('')
  return result.stdout
}

/** The commands that a help text lists. */
const commandsIn = (text: string): string[] => {
  const [, list = ''] = text.split(/^Commands:\n/m)
  const [lines = ''] = list.split('\n\n')
  return [...lines.matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'help')
}

const leavesBelow = async (path: readonly string[]): Promise<{ path: string; text: string }[]> => {
  const text = await help(path)
  const commands = commandsIn(text)
  if (commands.length === 0) return [{ path: path.join(' '), text }]
  const below = []
  for (const command of commands) below.push(...(await leavesBelow([...path, command])))
  return below
}

describe('--help', () => {
  it('of every command has examples that call that command, and --json', async () => {
    const leaves = await leavesBelow([])
    const paths = leaves.map(({ path }) => path)
    const needed = ['run', 'base add', 'base layers', 'dataset add', 'extract', 'train', 'predict']
    expect(paths).toEqual(expect.arrayContaining([...needed, 'verify', 'export', 'runs ls']))
    for (const { path, text } of leaves) {
      expect(text, path).toMatch(/^Examples?:$/m)
      expect(text, path).toContain(`headstart ${path}`)
      expect(text, path).toContain('--json')
    }
  })

  it('of the program names the environment and where to read on', async () => {
    const text = await help([])
    expect(text).toContain('HEADSTART_STORE')
    expect(text).toContain('docs/configuration.md')
  })

  it('is not needed for the version', async () => {
    const { code, stdout } = await runCli(['--version'], { cwd: await makeFolder() })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
