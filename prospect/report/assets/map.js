"use strict";
// The map of the report: pictures of codes are coloured here, and read where one clicks.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { grid, words } = data;
  const [west, south, east, north] = grid.bounds;
  const $ = (id) => document.getElementById(id);
  const number = (v, digits = 3) =>
    Number(v).toPrecision(digits).replace(/(\.\d*?)0+(e|$)/, "$1$2").replace(/\.(e|$)/, "$1").replace(".", words.decimal);
  const fixed = (v, digits) => v.toFixed(digits).replace(".", words.decimal);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const safe = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));

  // Kilometres of the map's own grid; a pixel is a pixel, whatever the projection.
  const plane = L.extend({}, L.CRS.Simple, { distance: (a, b) => 1000 * Math.hypot(a.lat - b.lat, a.lng - b.lng) });
  const map = L.map("map", { crs: plane, zoomSnap: 0.25, minZoom: -4, maxZoom: 9, attributionControl: false, zoomControl: false });
  L.control.zoom({ zoomInTitle: words.zoom_in, zoomOutTitle: words.zoom_out }).addTo(map);
  const frame = [[south, west], [north, east]];
  map.fitBounds(frame);
  map.setMaxBounds(L.latLngBounds(frame).pad(0.5));
  const scale = L.control.scale({ imperial: false, maxWidth: 160 });
  const drawScale = scale._updateScale;
  scale._updateScale = (line, text, ratio) => drawScale.call(scale, line, text.replace("km", words.km).replace(/ m$/, ` ${words.metre}`), ratio);
  scale.addTo(map);

  const corner = (position, className, html) => {
    const control = L.control({ position });
    control.onAdd = () => { const div = L.DomUtil.create("div", className); div.innerHTML = html; return div; };
    control.addTo(map);
    return control.getContainer();
  };
  corner("topright", "north", `<svg width="22" height="34" viewBox="0 0 22 34" role="img" aria-label="${words.north}"><path d="M11 2 18 30 11 24 4 30Z" fill="none" stroke="#111" stroke-width="1.6"/><path d="M11 2 11 24 4 30Z" fill="#111"/></svg>`);
  const coordinates = corner("bottomright", "coordinates", "");

  const between = (table, x, y) => {
    const last = table.length - 1, u = ((x - west) / (east - west)) * last, v = ((north - y) / (north - south)) * last;
    const i = Math.max(0, Math.min(last - 1, Math.floor(v))), j = Math.max(0, Math.min(last - 1, Math.floor(u)));
    const a = v - i, b = u - j;
    return (1 - a) * ((1 - b) * table[i][j] + b * table[i][j + 1]) + a * ((1 - b) * table[i + 1][j] + b * table[i + 1][j + 1]);
  };
  const place = (x, y) => {
    const metres = `${Math.round(1000 * x)}, ${Math.round(1000 * y)}`;
    if (!grid.degrees) return metres;
    const lon = between(grid.degrees.lon, x, y), lat = between(grid.degrees.lat, x, y);
    return `${fixed(lat, 4)}°, ${fixed(lon, 4)}° · ${metres}`;
  };

  // Pictures: codes are read once, and coloured for the map.
  const load = (surface) => new Promise((done) => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = image.width; canvas.height = image.height;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      const cells = context.getImageData(0, 0, image.width, image.height);
      surface.codes = new Uint8Array(image.width * image.height);
      const colours = surface.colours.map(rgb);
      for (let k = 0; k < surface.codes.length; k++) {
        const code = (surface.codes[k] = cells.data[4 * k]);
        const colour = colours[code - 1];
        if (colour) cells.data.set([...colour, 255], 4 * k); else cells.data[4 * k + 3] = 0;
      }
      context.putImageData(cells, 0, 0);
      surface.layer = L.imageOverlay(canvas.toDataURL(), frame, { className: `surface-${surface.name}` });
      done(surface);
    };
    image.src = `data:image/png;base64,${surface.png}`;
  });

  const hatch = (surface) => {
    const times = Math.max(1, Math.min(8, Math.floor(2400 / Math.max(grid.rows, grid.cols))));
    const canvas = document.createElement("canvas");
    canvas.width = grid.cols * times; canvas.height = grid.rows * times;
    const context = canvas.getContext("2d"), cells = context.createImageData(canvas.width, canvas.height);
    for (let y = 0; y < canvas.height; y++) for (let x = 0; x < canvas.width; x++) {
      const code = surface.codes[Math.floor(y / times) * grid.cols + Math.floor(x / times)];
      if (code > 1 && (x + y) % 12 < 3) cells.data.set((x + y) % 12 < 2 ? [255, 255, 255, 230] : [0, 0, 0, 120], 4 * (y * canvas.width + x));
    }
    context.putImageData(cells, 0, 0);
    return L.imageOverlay(canvas.toDataURL(), frame, { className: "hatch" });
  };

  const swatch = (colour, label) => `<li><span class="swatch" style="background:${colour}"></span>${safe(label)}</li>`;
  const legend = (surface) => {
    let html = `<h3>${words.legend}: ${safe(surface.title)}</h3>`;
    if (surface.kind === "shares") {
      const steps = [];
      surface.colours.forEach((colour, k) => { if (colour !== surface.colours[k - 1]) steps.push([colour, surface.shares[k]]); });
      html += "<ul>" + steps.map(([colour, share], k) => {
        const next = k + 1 < steps.length ? steps[k + 1][1] : 0;
        const text = k === 0 ? words.rest : next ? fill(words.between, { low: number(100 * next, 2), high: number(100 * share, 2) }) : fill(words.top, { share: number(100 * share, 2) });
        return swatch(colour, text);
      }).reverse().join("") + "</ul>";
    } else if (surface.kind === "classes") {
      html += "<ul>" + surface.labels.map((label, k) => swatch(surface.colours[k], label)).join("") + "</ul>";
    } else {
      const ends = [surface.values[0], surface.values[surface.values.length - 1]].map((v) => number(v));
      html += `<div class="ramp" style="background:linear-gradient(to right,${surface.colours.filter((_, k) => k % 16 === 0).join(",")})"></div><div class="ends"><span>${ends[0]}</span><span>${ends[1]}</span></div>`;
    }
    $("legend").innerHTML = html;
  };

  const told = (surface, k) => {
    const code = surface.codes[k];
    if (!code) return words.gap;
    if (surface.kind === "classes") return safe(surface.labels[code - 1] ?? words.gap);
    const value = number(surface.values[code - 1]);
    return surface.kind === "shares" ? `${value}<br><small>${fill(words.rank, { share: number(100 * surface.shares[code - 1], 2) })}</small>` : value;
  };

  const within = (target, x, y) => target.polygons.some((rings) => rings.reduce((odd, ring) => {
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [a, b] = ring[i], [c, d] = ring[j];
      if (b > y !== d > y && x < a + ((y - b) * (c - a)) / (d - b)) odd = !odd;
    }
    return odd;
  }, false));

  let marker = null;
  const read = (x, y) => {
    const col = Math.floor(((x - west) / (east - west)) * grid.cols), row = Math.floor(((north - y) / (north - south)) * grid.rows);
    if (marker) marker.remove();
    marker = L.circleMarker([y, x], { radius: 7, color: "#111", weight: 2, fillColor: "#fff", fillOpacity: 0.6, interactive: false }).addTo(map);
    let html = `<h3>${words.here}</h3>`;
    if (col < 0 || row < 0 || col >= grid.cols || row >= grid.rows) html += `<p>${words.nothing}</p>`;
    else {
      const k = row * grid.cols + col;
      const rows = data.surfaces.filter((s) => s.kind !== "shade").map((s) => `<dt>${safe(s.title)}</dt><dd>${told(s, k)}</dd>`);
      const target = data.targets.find((each) => within(each, x, y));
      if (target) rows.push(...target.told.map(([name, value]) => `<dt>${safe(name)}</dt><dd>${safe(value)}</dd>`));
      html += `<dl>${rows.join("")}<dt>${words.place}</dt><dd>${place(x, y)}</dd></dl>`;
    }
    $("readout").innerHTML = html;
    // Beside the map the panel scrolls; what was asked for is brought into view.
    const panel = $("panel");
    if (panel.scrollHeight > panel.clientHeight) panel.scrollTop = $("readout").offsetTop - panel.offsetTop;
  };

  const choice = (box, type, name, label, checked, act) => {
    const row = document.createElement("label"), input = document.createElement("input");
    Object.assign(input, { type, name: type === "radio" ? "surface" : name, value: name, checked });
    input.addEventListener("change", () => act(input.checked));
    row.append(input, label);
    $(box).append(row);
  };

  Promise.all(data.surfaces.map(load)).then((surfaces) => {
    map.createPane("relief").style.zIndex = 190;
    const relief = surfaces.find((s) => s.kind === "shade");
    if (relief) { relief.layer.options.pane = "relief"; relief.layer.addTo(map); }
    let shown = surfaces[0];
    const opacity = () => shown.layer.setOpacity($("opacity").value / 100);
    const show = (surface) => { shown.layer.remove(); shown = surface; shown.layer.addTo(map).bringToBack(); opacity(); legend(shown); };
    $("opacity").value = relief ? 75 : 100;
    show(shown);
    surfaces.filter((s) => s.kind !== "shade").forEach((s, k) => choice("surfaces", "radio", s.name, s.title, k === 0, () => show(s)));
    $("opacity").addEventListener("input", opacity);

    const overlays = [];
    const overlay = (name, label, layer, on) => { overlays.push(name); if (on) layer.addTo(map); choice("overlays", "checkbox", name, label, on, (checked) => (checked ? layer.addTo(map) : layer.remove())); };
    const outside = surfaces.find((s) => s.name === data.outside);
    if (outside) overlay("outside", words.outside, hatch(outside), true);
    if (relief) overlay("relief", words.relief, relief.layer, true);
    const styles = ["#111", "#444", "#777"];
    Object.entries(data.lines).forEach(([name, lines], k) =>
      overlay(name, name, L.polyline(lines.map((line) => line.map(([x, y]) => [y, x])), { color: styles[k % 3], weight: 1.3, dashArray: k % 2 ? "5 4" : null, interactive: false }), false));
    const outlines = {};
    const shapes = data.targets.map((target) => {
      const shape = L.polygon(target.polygons.map((rings) => rings.map((ring) => ring.map(([x, y]) => [y, x]))), { color: target.kind === "outside" ? "#fff" : "#00e5ff", weight: target.kind === "known" ? 1 : 2, dashArray: target.kind === "outside" ? "4 4" : null, fill: false });
      outlines[target.id] = shape;
      const label = L.marker(shape.getBounds().getCenter(), { icon: L.divIcon({ className: "target-label", html: String(target.rank), iconSize: [20, 20] }), keyboard: false, interactive: false });
      return L.layerGroup(target.rank <= 20 && target.kind === "inside" ? [shape, label] : [shape]);
    });
    if (shapes.length) overlay("targets", words.targets, L.layerGroup(shapes), true);
    const walks = data.traverses.map((line) => L.polyline(line.map(([x, y]) => [y, x]), { color: "#ff2fd0", weight: 4, interactive: false }));
    if (walks.length) overlay("traverses", words.traverses, L.layerGroup(walks), false);
    const marks = data.deposits.map(([x, y]) => L.circleMarker([y, x], { radius: 4, color: "#000", weight: 1.2, fillColor: "#fff", fillOpacity: 1, interactive: false }));
    if (marks.length) overlay("deposits", words.deposits, L.layerGroup(marks), true);

    map.on("click", (event) => read(event.latlng.lng, event.latlng.lat));
    map.on("mousemove", (event) => { coordinates.textContent = place(event.latlng.lng, event.latlng.lat); });
    $("map").addEventListener("keydown", (event) => { if (event.key === "Enter") { const c = map.getCenter(); read(c.lng, c.lat); } });
    document.querySelectorAll(".goto").forEach((button) => button.addEventListener("click", () => {
      const shape = outlines[button.dataset.target];
      if (!shape) return;
      $("map-section").scrollIntoView({ block: "start" });
      map.fitBounds(shape.getBounds().pad(0.6));
      const { peak } = data.targets.find((each) => each.id === button.dataset.target);
      read(...peak);
    }));
    document.body.dataset.ready = "true";
  });
  // On paper the frame has another size: what was in view stays in view, and nothing but long lists is folded up.
  matchMedia("print").addEventListener("change", (event) => {
    const view = map.getBounds();
    map.invalidateSize({ animate: false, pan: false });
    map.fitBounds(view.intersects(frame) && !view.contains(frame) ? view : frame, { animate: false });
    document.querySelectorAll("details:not(.more)").forEach((each) => { each.open = event.matches; });
  });
})();
