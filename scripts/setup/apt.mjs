// Owns unpacking Debian packages into a folder, without root and without changing the system: apt
// gets lists and a cache of its own. Works on Debian, Ubuntu and what descends from them.
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from './command.mjs'

/**
 * apt's settings: everything that it writes lies in `folder`.
 *
 * @param {string} folder
 * @returns {Promise<string>} path of the settings.
 */
const writeSettings = async (folder) => {
  await mkdir(join(folder, 'state/lists/partial'), { recursive: true })
  await mkdir(join(folder, 'cache/archives/partial'), { recursive: true })
  const file = join(folder, 'apt.conf')
  // Hooks of the machine (Docker images have some) would write to the system.
  const lines = [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    'APT::Sandbox::User "";',
    `Dir::State "${join(folder, 'state')}";`,
    'Dir::State::status "/var/lib/dpkg/status";',
    `Dir::Cache "${join(folder, 'cache')}";`,
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

/** Shared libraries that the package asks for by name; the C library is always the machine's own. */
const librariesOf = (name, settings) => {
  const { stdout } = spawnSync('apt-cache', ['-c', settings, 'depends', '--important', name], {
    encoding: 'utf8',
  })
  const names = [...(stdout ?? '').matchAll(/^ +(?:Pre)?Depends: (lib\S+)$/gm)].map(([, it]) => it)
  return [...new Set(names)].filter((it) => it !== 'libc6')
}

/** Folders with shared libraries below `folder`. */
export const findLibraryFolders = async (folder) => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const libraries = entries.filter(({ name }) => /\.so(\.|$)/.test(name))
  return [...new Set(libraries.map(({ parentPath }) => parentPath))]
}

/**
 * Downloads packages and unpacks them into `folder`; their scripts are not run.
 *
 * @param {object} request
 * @param {readonly string[]} request.names
 * @param {string} [request.librariesOf] also the libraries that this package asks for.
 * @param {string} request.folder
 * @param {string} request.remedy what to do when it fails.
 */
export const unpackPackages = async (request) => {
  const { names, folder, remedy } = request
  const work = `${folder}.apt`
  try {
    const settings = await writeSettings(work)
    const run = (program, args) => runCommand(program, args, { cwd: work, remedy })
    await run('apt-get', ['-c', settings, '-qq', 'update'])
    const libraries = request.librariesOf ? librariesOf(request.librariesOf, settings) : []
    const wanted = [...names, ...libraries]
    await run('apt-get', ['-c', settings, '-qq', 'download', ...wanted])
    for (const file of await readdir(work))
      if (file.endsWith('.deb')) await run('dpkg', ['-x', join(work, file), folder])
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
