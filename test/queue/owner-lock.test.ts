// A folder with one owner: real processes, killed and stopped.
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { acquireFolder } from '../../src/queue/owner-lock.js'
import { PROJECT, type RunningCli, startProcess } from '../support/cli.js'
import { makeFolder, until } from '../support/folders.js'

const LOCK = JSON.stringify(join(PROJECT, 'dist/src/queue/owner-lock.js'))
const owners: RunningCli[] = []
afterAll(async () => {
  for (const { child } of owners) child.kill('SIGKILL')
  await Promise.all(owners.map(({ finished }) => finished))
})

/** A process that owns the folder until it is killed. */
const startOwner = async (folder: string): Promise<RunningCli> => {
  const script = `
    const { acquireFolder } = await import(${LOCK})
    await acquireFolder(process.argv[1])
    process.stdout.write('owned')
    setInterval(() => {}, 1000)`
  const args = ['--input-type=module', '-e', script, folder]
  const owner = startProcess(process.execPath, args, { cwd: folder })
  owners.push(owner)
  await until(async () => owner.stdout() === 'owned' || owner.child.exitCode !== null)
  return owner
}

describe('the owner of a folder', () => {
  it('keeps others out while it lives, also while it is stopped', async () => {
    const folder = await makeFolder()
    const owner = await startOwner(folder)
    const refusal = { code: 'QUEUE_OWNED', message: expect.stringContaining(`${owner.child.pid}`) }
    await expect(acquireFolder(folder)).rejects.toMatchObject(refusal)
    owner.child.kill('SIGSTOP')
    await expect(acquireFolder(folder)).rejects.toMatchObject(refusal)
    owner.child.kill('SIGCONT')
    await expect(acquireFolder(folder)).rejects.toMatchObject(refusal)
  })

  it('is known to be dead at once after kill -9', async () => {
    const folder = await makeFolder()
    const owner = await startOwner(folder)
    owner.child.kill('SIGKILL')
    await owner.finished
    const release = await acquireFolder(folder)
    await expect(acquireFolder(folder)).rejects.toMatchObject({ code: 'QUEUE_OWNED' })
    await release()
    await (await acquireFolder(folder))()
  })

  it('is one of many who take a dead owner’s folder at the same time', async () => {
    const folder = await makeFolder()
    const owner = await startOwner(folder)
    owner.child.kill('SIGKILL')
    await owner.finished
    const left = await makeFolder()
    await cp(folder, left, { recursive: true })
    // Who takes the record away after somebody else took the folder is seldom met.
    for (let round = 0; round < 60; round += 1) {
      const taken = await Promise.allSettled(
        Array.from({ length: 24 }, () => acquireFolder(folder)),
      )
      const releases = taken.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      expect(releases).toHaveLength(1)
      for (const release of releases) await release()
      await cp(left, folder, { recursive: true })
    }
  })
})
