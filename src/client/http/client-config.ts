/** How to reach an API server and who to be there. Certificates and keys are PEM. */
export interface ClientConfig {
  /** `https://host:port`, with a path in front of the API's where there is a proxy. */
  readonly server: string;
  /** Certificates to trust; absent: the system's. */
  readonly certificateAuthority?: string;
  /** The name the server's certificate must have, where it is not the host of `server`. */
  readonly tlsServerName?: string;
  /** Trusts any certificate. */
  readonly insecureSkipTlsVerify?: boolean;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly token?: string;
  /** Read again every minute, as it is rotated; comes before `token`. */
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  /** Acts as somebody else, where the server allows it. */
  readonly impersonate?: { readonly user: string; readonly groups?: readonly string[] };
  /** Names the component in the server's logs and in managedFields. Default: `tiphys`. */
  readonly userAgent?: string;
  /** The namespace of the kubeconfig's context. */
  readonly namespace?: string;
  /** Connections for requests at a time (watches have their own). Default: 64. */
  readonly connectionsMax?: number;
}
