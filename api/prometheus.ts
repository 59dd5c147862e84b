import { createRequire } from 'node:module'
import type * as prometheus from 'prom-client'

// By file: as a whole it brings metrics of its own along that we don't take, and 50 files of OpenTelemetry for them.
const load = createRequire(import.meta.url)

export const Registry: typeof prometheus.Registry = load('prom-client/lib/registry.js')
export type Registry = prometheus.Registry
export const Counter: typeof prometheus.Counter = load('prom-client/lib/counter.js')
export const Gauge: typeof prometheus.Gauge = load('prom-client/lib/gauge.js')
export const Histogram: typeof prometheus.Histogram = load('prom-client/lib/histogram.js')
