/** Whether a host name or address, with or without brackets, is this machine itself. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\]|::ffff:127(\.\d{1,3}){3})$/i.test(host)

/** The name in a Host header, without its port, in lower case. */
export const hostName = (header: string): string => header.replace(/:\d*$/, '').toLowerCase()
