/** What goes wrong with images: `code` says which kind, `message` is fit for the terminal. */
export class ImageError extends Error {
  readonly code: 'invalid-reference' | 'invalid-archive' | 'invalid-source' | 'not-found' | 'runtime';

  constructor(code: ImageError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ImageError';
    this.code = code;
  }
}
