/* Tells the server this browser's time zone, by a cookie: times on pages are then those of the clock
 * on the wall, unless the account says otherwise. The first page of a browser has the site's.
 */

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
const known = document.cookie.split("; ").includes(`zone=${zone}`);
if (/^[A-Za-z0-9_+/-]{1,64}$/.test(zone) && !known) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}
