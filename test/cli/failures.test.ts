// What a failure prints, and what it must not print.
import { describe, expect, it } from 'vitest'
import { runCli, runFailing } from '../support/cli.js'
import { makeFolder } from '../support/folders.js'

describe('a failure', () => {
  it('never repeats the password or the query of a URL', async () => {
    const cwd = await makeFolder()
    const url = 'localhost:1/m/model.json?signature=t0ken'
    const refused = await runFailing(['base', 'add', `https://user:s3cretpw@${url}`], { cwd })
    expect(refused).toMatchObject({ code: 'REQUEST_INVALID', exitCode: 2 })
    const failed = await runFailing(['base', 'add', `http://${url}`], { cwd })
    expect(failed).toMatchObject({ code: 'BASE_DOWNLOAD_FAILED', exitCode: 1 })
    for (const { stdout, stderr } of [refused, failed])
      expect(stdout + stderr).not.toMatch(/s3cretpw|t0ken/)
  })

  it.each([
    ['1', true],
    ['true', true],
    ['0', false],
    ['false', false],
  ])('with HEADSTART_DEBUG=%s prints its stack: %s', async (value, isPrinted) => {
    const options = { cwd: await makeFolder(), env: { HEADSTART_DEBUG: value } }
    const { stderr } = await runCli(['runs', 'show', 'none'], options)
    expect(stderr).toContain('error NOT_FOUND')
    expect(/^ {4}at /m.test(stderr)).toBe(isPrinted)
  })

  it('of HEADSTART_DEBUG itself is CONFIG_INVALID', async () => {
    const options = { cwd: await makeFolder(), env: { HEADSTART_DEBUG: 'yes' } }
    const failure = await runFailing(['runs', 'ls'], options)
    expect(failure).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 })
    expect(failure.details).toEqual([expect.stringContaining('HEADSTART_DEBUG')])
  })
})
