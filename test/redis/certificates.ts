import { execFile } from 'node:child_process'
import { copyFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Paths of PEM files: an authority, a server's certificate of it for 127.0.0.1 and localhost, and a client's. */
export interface Certificates {
  readonly ca: string
  readonly server: { readonly cert: string; readonly key: string }
  /** For the bridge and its workers. */
  readonly cert: string
  readonly key: string
}

/** Makes them anew in `folder`, valid for two days. */
export const makeCertificates = async (folder: string): Promise<Certificates> => {
  const path = (name: string) => join(folder, name)
  const make = (name: string, ...more: string[]) =>
    run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-keyout', path(`${name}.key`), '-out', path(`${name}.pem`), ...more],
    ])
  const signed = ['-CA', path('authority.pem'), '-CAkey', path('authority.key')]
  const leaf = [...signed, '-addext', 'basicConstraints=critical,CA:FALSE']
  await make('authority')
  await make('server', ...leaf, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
  await make('client', ...leaf)
  return certificatesIn(folder)
}

/** The same for another server on this machine, which may not see `folder`. */
export const copyCertificates = async (from: string, folder: string): Promise<Certificates> => {
  for (const name of (await readdir(from)).filter((file) => /\.(pem|key)$/.test(file)))
    await copyFile(join(from, name), join(folder, name))
  return certificatesIn(folder)
}

const certificatesIn = (folder: string): Certificates => ({
  ca: join(folder, 'authority.pem'),
  server: { cert: join(folder, 'server.pem'), key: join(folder, 'server.key') },
  cert: join(folder, 'client.pem'),
  key: join(folder, 'client.key'),
})
