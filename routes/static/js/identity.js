// @ts-check
/** The login this page was made for; empty when nobody was logged in. It stays that, whoever logs in elsewhere. */
export const me = document.body.dataset["me"] ?? "";
