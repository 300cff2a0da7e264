// Owns the settings that pip gets: which index to ask belongs to the machine, not to one run.
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

/**
 * pip's settings of the user, where a clean run has replaced HOME. Added to the environment.
 *
 * @returns {Record<string, string>}
 */
export const pipSettings = () => {
  const file = join(userInfo().homedir, '.config/pip/pip.conf')
  return process.env.PIP_CONFIG_FILE === undefined && existsSync(file)
    ? { PIP_CONFIG_FILE: file }
    : {}
}
