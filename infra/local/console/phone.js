// Phone numbers as the service stores them.

import { settings } from './settings.js';

/** Calling codes of common regions. */
const CALLING_CODES = { 1: 'US', 33: 'FR', 44: 'GB', 49: 'DE', 65: 'SG', 81: 'JP', 82: 'KR', 86: 'CN', 91: 'IN', 852: 'HK', 853: 'MO', 886: 'TW' };

/** A typed phone in E.164, or '' if it has too few digits. A number without a calling code is of the default region. */
export function e164(text) {
  const typed = text.normalize('NFKC').trim();
  const digits = typed.replace(/\D/g, '');
  if (digits.length < 8) return '';
  if (typed.startsWith('+')) return `+${digits}`;
  if (digits.startsWith('00')) return `+${digits.slice(2)}`;
  const region = settings()?.phone?.default_region ?? 'CN';
  const calling = Object.keys(CALLING_CODES).find((code) => CALLING_CODES[code] === region) ?? '';
  const hasCalling = digits.startsWith(calling) && digits.length - calling.length > 7;
  return hasCalling ? `+${digits}` : `+${calling}${digits}`;
}

/** The region of a phone in E.164; the longest calling code wins. */
export function regionOf(phone) {
  const digits = phone.replace(/\D/g, '');
  const calling = [3, 2, 1].map((length) => digits.slice(0, length)).find((code) => code in CALLING_CODES);
  return CALLING_CODES[calling];
}
