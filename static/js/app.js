/* Steps that a script can spare people. Every page works without this file. */
(function () {
  "use strict";

  function each(root, selector, act) {
    Array.prototype.forEach.call(root.querySelectorAll(selector), act);
  }

  function editable(node) {
    return Boolean(node && (node.isContentEditable || /^(TEXTAREA|SELECT)$/.test(node.tagName) ||
      (node.tagName === "INPUT" && !/^(radio|checkbox|button|submit|reset)$/.test(node.type))));
  }

  /* The summary takes focus when a page comes back with errors; its links go to the control itself. */
  function errorSummary() {
    var box = document.querySelector("[data-error-summary]");
    if (!box) { return; }
    box.focus();
    box.addEventListener("click", function (event) {
      var link = event.target.closest("a[href^='#']");
      var field = link && document.getElementById(link.getAttribute("href").slice(1));
      if (!field) { return; }
      event.preventDefault();
      var holder = field.closest(".field, .choice, fieldset") || field;
      holder.scrollIntoView({ block: "start" });
      field.focus({ preventScroll: true });
    });
  }

  /* One submit per page view: the pressed button says what is going on and the second press does nothing. */
  function singleSubmit() {
    document.addEventListener("submit", function (event) {
      var form = event.target;
      if (event.defaultPrevented || form.method === "get" || form.hasAttribute("data-many")) { return; }
      if (form.hasAttribute("data-sent")) { event.preventDefault(); return; }
      form.setAttribute("data-sent", "");
      var button = event.submitter;
      if (!button || !button.classList.contains("btn")) { return; }
      button.setAttribute("aria-disabled", "true");
      button.classList.add("is-busy");
      var words = button.querySelector(".btn__text");
      if (words && button.dataset.busy) {
        button.dataset.rest = words.textContent;
        words.textContent = button.dataset.busy;
      }
    });
    window.addEventListener("pageshow", function (event) { if (event.persisted) { unsend(); } });
  }

  /* A page that is there again, or was not left, can send its forms once more. */
  function unsend() {
    each(document, "form[data-sent]", function (form) { form.removeAttribute("data-sent"); });
    each(document, ".btn.is-busy", function (button) {
      button.classList.remove("is-busy");
      button.removeAttribute("aria-disabled");
      var words = button.querySelector(".btn__text");
      if (words && button.dataset.rest) { words.textContent = button.dataset.rest; }
    });
  }

  /* Who leaves a form marked for it, with something in it that is not saved, is asked by the browser; its own links mean it. */
  function ask() {
    var form = document.querySelector("form[data-ask]");
    if (!form) { return; }
    var dirty = form.dataset.ask === "unsaved", meant = false;
    form.addEventListener("input", function () { dirty = true; });
    form.addEventListener("click", function (event) { meant = Boolean(event.target.closest("a[href]")); });
    window.addEventListener("beforeunload", function (event) {
      if (!dirty || meant || form.hasAttribute("data-sent")) { return; }
      event.preventDefault();
      window.setTimeout(unsend); // runs only where the person stays
    });
  }

  /* A form that is drawn anew for a choice gives the choice its focus back, so that arrow keys can go on. */
  function autoSubmit() {
    var form = document.querySelector("form[data-focus]");
    var field = form && document.getElementById(form.dataset.focus);
    if (field) { field.focus(); }
    document.addEventListener("change", function (event) {
      if (!event.target.matches("[data-autosubmit]")) { return; }
      var at = event.target.form.querySelector("input[data-at]");
      if (at) {
        at.value = event.target.id;
        at.form.action = at.form.action.split("#")[0]; // a place in the address would take the focus away again
      }
      event.target.form.requestSubmit();
    });
  }

  /* What the ticked boxes are worth, one amount for each currency; money is in minor units. */
  function sum(boxes) {
    var found = {}, digits = {};
    Array.prototype.forEach.call(boxes, function (box) {
      var currency = box.dataset.currency;
      if (!currency) { return; }
      found[currency] = (found[currency] || 0) + Number(box.dataset.minor);
      digits[currency] = Number(box.dataset.digits);
    });
    return Object.keys(found).sort().map(function (currency) {
      var form = new Intl.NumberFormat(document.documentElement.lang || "en-GB",
        { style: "currency", currency: currency, minimumFractionDigits: digits[currency], maximumFractionDigits: digits[currency] });
      return form.format(found[currency] / Math.pow(10, digits[currency]));
    }).join(", ");
  }

  /* What the chosen quantity costs, beside the price of one. */
  function times(node) {
    var chosen = document.getElementById(node.dataset.times);
    var count = Number(chosen && chosen.value);
    if (!(count > 1)) { return ""; }
    var minor = Number(node.dataset.minor) * count;
    return sum([{ dataset: { currency: node.dataset.currency, digits: node.dataset.digits, minor: minor } }]);
  }

  /* How many are ticked: of what has a quantity, so many. */
  function units(boxes) {
    return Array.prototype.reduce.call(boxes, function (found, box) {
      var quantity = document.getElementById("quantity-" + box.value);
      return found + (Number(quantity && quantity.value) || 1);
    }, 0);
  }

  /* Counts, sums and previews of what is ticked: data-count says which boxes, data-when-checked which one box. */
  function selections() {
    function refresh() {
      each(document, "[data-when-checked]", function (node) {
        var box = document.getElementById(node.dataset.whenChecked);
        node.hidden = !(box && box.checked);
      });
      each(document, "[data-count]", function (node) {
        var count = units(document.querySelectorAll(node.dataset.count + ":checked"));
        var pattern = count === 0 ? node.dataset.zero : count === 1 ? node.dataset.one : node.dataset.other;
        var words = (pattern || node.dataset.other).replace("{n}", String(count));
        if (node.textContent !== words) { node.textContent = words; }
      });
      each(document, "[data-sum]", function (node) {
        var words = sum(document.querySelectorAll(node.dataset.sum + ":checked"));
        if (node.textContent !== words) { node.textContent = words; }
      });
      each(document, "[data-times]", function (node) {
        var words = times(node);
        if (node.textContent !== words) { node.textContent = words; }
      });
      each(document, "[data-show-any]", function (node) {
        node.hidden = !document.querySelector(node.dataset.showAny + ":checked");
      });
      each(document, "[data-check-all]", function (box) {
        var all = document.querySelectorAll(box.dataset.checkAll).length;
        var on = document.querySelectorAll(box.dataset.checkAll + ":checked").length;
        box.checked = all > 0 && on === all;
        box.indeterminate = on > 0 && on < all;
      });
    }
    document.addEventListener("change", function (event) {
      var target = event.target;
      if (target.dataset.checkAll) {
        each(document, target.dataset.checkAll, function (box) { if (!box.disabled) { box.checked = target.checked; } });
      }
      if (target.matches("select[data-checks]")) {
        var box = document.getElementById(target.dataset.checks);
        if (box) { box.checked = true; }
      }
      refresh();
    });
    window.addEventListener("pageshow", refresh);
    refresh();
  }

  /* A chosen file's name is shown beside its button; a form marked for it is sent at once. */
  function files() {
    document.addEventListener("change", function (event) {
      var input = event.target;
      if (input.type !== "file") { return; }
      var name = document.getElementById(input.dataset.names || "");
      if (name) {
        name.textContent = Array.prototype.map.call(input.files, function (file) { return file.name; }).join(", ");
      }
    });
  }

  /* Single keys: "/" for the search, Escape out of the scan field, and a card's own letters while focus is in that card and not in a text. */
  function keys() {
    if (document.documentElement.dataset.keys === "off") { return; }
    document.addEventListener("keydown", function (event) {
      if (event.ctrlKey || event.metaKey || event.altKey) { return; }
      if (event.key === "Escape" && event.target.matches("[data-leave]")) {
        /* Out of the scan field, where keys are part of a code, into the first card whose keys choose. */
        var first = document.querySelector("[data-keys-card] [data-key]");
        if (first) { event.preventDefault(); first.focus(); }
        return;
      }
      if (editable(event.target)) { return; }
      if (event.key === "/") {
        var search = document.querySelector("[data-search]");
        if (search) { event.preventDefault(); search.focus(); }
        return;
      }
      var card = event.target.closest("[data-keys-card]");
      var choice = card && event.key.length === 1 &&
        card.querySelector("[data-key='" + CSS.escape(event.key.toLowerCase()) + "']");
      if (choice) { event.preventDefault(); choice.click(); choice.focus(); }
    });
  }

  /* What was typed in a form marked for it is kept when its page is left by any other way than the form. */
  function keep() {
    var form = document.querySelector("form[data-keep]");
    if (!form) { return; }
    var dirty = false;
    form.addEventListener("input", function (event) { dirty = dirty || editable(event.target); });
    window.addEventListener("pagehide", function () {
      if (!dirty || form.hasAttribute("data-sent")) { return; }
      dirty = false;
      var typed = new FormData(form);
      each(form, "input[type=file]", function (input) { typed.delete(input.name); });
      typed.set("step", "left");
      navigator.sendBeacon(form.action, typed);
    });
  }

  /* What was typed in the other forms of a page when one of them is sent stands there again on its next view, in this tab. */
  function carry() {
    var page = document.querySelector("[data-carry]");
    if (!page) { return; }
    var key = "typed:" + page.dataset.carry;

    function chooses(field) { return field.type === "radio" || field.type === "checkbox"; }

    function touched(field) {
      if (!field.id || !(editable(field) || chooses(field)) || /^(hidden|file)$/.test(field.type)) { return false; }
      if (page.hasAttribute("data-given")) { return true; } // the page itself gave back what was typed before
      if (chooses(field)) { return field.checked !== field.defaultChecked; }
      if (field.tagName !== "SELECT") { return field.value !== field.defaultValue; }
      var first = field.querySelector("option[selected]") || field.options[0];
      return Boolean(first) && field.value !== first.value;
    }

    var typed = JSON.parse(sessionStorage.getItem(key) || "{}");
    sessionStorage.removeItem(key);
    Object.keys(typed).forEach(function (id) {
      var field = document.getElementById(id);
      if (!field || field.readOnly) { return; }
      if (chooses(field)) { field.checked = typed[id]; } else { field.value = typed[id]; }
      var folded = field.closest("details");
      if (folded) { folded.open = true; }
    });
    document.addEventListener("submit", function (event) {
      if (event.defaultPrevented) { return; }
      var others = {};
      each(page, "input, textarea, select", function (field) {
        if (field.form !== event.target && touched(field)) { others[field.id] = chooses(field) ? field.checked : field.value; }
      });
      if (Object.keys(others).length) { sessionStorage.setItem(key, JSON.stringify(others)); }
    });
  }

  /* What was kept while somebody signed in again comes back by itself; its page carries nothing out. */
  function goOn() {
    var form = document.querySelector("form[data-go-on]");
    var came = performance.getEntriesByType("navigation")[0];
    if (form && !(came && came.type === "back_forward")) { form.requestSubmit(); }
  }

  errorSummary();
  carry();
  singleSubmit();
  autoSubmit();
  selections();
  files();
  keys();
  keep();
  ask();
  goOn();
}());
