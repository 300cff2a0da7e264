// Owns whether a process of this host lives.
import { systemCodeOf } from './file-errors.js'

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCodeOf(error) !== 'ESRCH'
  }
}
