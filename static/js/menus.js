/* Menus close as menus do: with Escape, which brings the focus back to what opened them, and with a
 * click elsewhere. Without this script they are opened and closed by their own button alone.
 */

const MENUS = "details.menu[open], details.filter[open]";

// Before all others: Escape is theirs again once no menu is open.
addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape") return;
    const open = event.target.closest?.(MENUS) ?? [...document.querySelectorAll(MENUS)].at(-1);
    if (!open) return;
    event.preventDefault();
    event.stopPropagation();
    open.open = false;
    open.querySelector("summary").focus();
  },
  { capture: true },
);

addEventListener("click", (event) => {
  for (const open of document.querySelectorAll(MENUS)) {
    if (!open.contains(event.target)) open.open = false;
  }
});
