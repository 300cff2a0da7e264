// Owns the names of devices: where an engine computes on this machine. No part of any identity.
import { z } from 'zod'

/** Providers of onnxruntime; `cuda` is also what the engine tensorflow calls a GPU. */
export const DEVICE_KINDS = ['cpu', 'cuda', 'tensorrt', 'webgpu'] as const
export type DeviceKind = (typeof DEVICE_KINDS)[number]

/**
 * `auto` (the engine's fastest device here), a kind, or a kind and an index among the GPUs of this
 * machine: `cuda:1`. A device that is named and missing is an error, never replaced by another.
 */
export const deviceSchema = z
  .string()
  .regex(
    /^(auto|cpu|webgpu|(cuda|tensorrt)(:\d{1,2})?)$/,
    'auto, cpu, cuda, cuda:<index>, tensorrt, tensorrt:<index> or webgpu',
  )
export type DeviceRequest = z.infer<typeof deviceSchema>

export interface Device {
  readonly kind: DeviceKind
  /** Among the GPUs of the machine; 0 for devices without one. */
  readonly index: number
}

/** @returns null for `auto`. */
export const parseDevice = (request: DeviceRequest): Device | null => {
  if (request === 'auto') return null
  const [kind, index = '0'] = request.split(':')
  return { kind: kind as DeviceKind, index: Number(index) }
}
