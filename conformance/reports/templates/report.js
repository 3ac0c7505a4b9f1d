"use strict";
(function () {
  var all = function (selector, root) { return Array.from((root || document).querySelectorAll(selector)); };

  // Copy a replay command.
  all("[data-copy]").forEach(function (button) {
    if (!navigator.clipboard) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      var text = button.parentElement.querySelector("code").textContent;
      navigator.clipboard.writeText(text).then(function () {
        button.textContent = "Copied";
        setTimeout(function () { button.textContent = "Copy"; }, 1500);
      }, function () { button.textContent = "Select and copy by hand"; });
    });
  });

  // Unfold or fold every detail of one story.
  all("[data-unfold]").forEach(function (button) {
    var story = button.closest(".story");
    var details = all("details", story);
    if (!details.length) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      var open = details.some(function (one) { return !one.open; });
      details.forEach(function (one) { one.open = open; });
      button.textContent = open ? "Fold all" : "Unfold all";
    });
  });

  // A link into a folded stretch opens it.
  var reveal = function () {
    var target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (var node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") { node.open = true; }
    }
    if (target && target.hidden) { show("", ""); target.scrollIntoView(); }
  };

  // Filter requirements by words and verdict.
  var panel = document.querySelector("[data-filter]");
  var show = function () {};
  if (panel) {
    var field = panel.querySelector("input");
    var buttons = all("button[data-verdict]", panel);
    var rows = all("[data-chapter] .requirement").map(function (row) {
      return { row: row, verdict: row.dataset.verdict, text: row.textContent.toLowerCase() };
    });
    var chosen = "";
    var apply = function () {
      var words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      rows.forEach(function (entry) {
        var match = (!chosen || entry.verdict === chosen) &&
          words.every(function (word) { return entry.text.includes(word); });
        entry.row.hidden = !match;
        shown += match ? 1 : 0;
      });
      all("[data-chapter]").forEach(function (chapter) {
        chapter.hidden = !chapter.querySelector(".requirement:not([hidden])");
      });
      buttons.forEach(function (button) {
        button.setAttribute("aria-pressed", String(button.dataset.verdict === chosen));
      });
      panel.querySelector("[data-shown]").textContent =
        words.length || chosen ? "Showing " + shown + " of " + rows.length : "";
      document.querySelector("[data-none]").hidden = shown > 0;
    };
    show = function (text, verdict) { field.value = text; chosen = verdict; apply(); };
    field.addEventListener("input", apply);
    buttons.forEach(function (button) {
      button.addEventListener("click", function () { chosen = button.dataset.verdict; apply(); });
    });
    panel.hidden = false;
  }

  window.addEventListener("hashchange", reveal);
  if (location.hash) { reveal(); }
})();
