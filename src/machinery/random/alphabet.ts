/** What generated names end in: no vowels and no look-alikes, so that no words arise. */
export const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
