// A chart that is there as soon as it is mounted. NiceGUI's own component draws a moment later and fails in
// between: unmounted by a quick change of tabs, it disposes of a chart that was never made.
import { echarts } from "nicegui-echart";
import { convertDynamicProperties } from "../../static/utils/dynamic_properties.js";

export default {
  template: "<div></div>",
  // All that ui.echart sends, or the rest would become attributes of the element.
  props: ["options", "renderer", "theme", "enable3d"],
  mounted() {
    this.chart = echarts.init(this.$el, null, { renderer: this.renderer });
    this.chart.on("click", (event) => this.$emit("componentClick", event));
    this.update_chart();
    this.resizes = new ResizeObserver(this.fit);
    this.resizes.observe(this.$el);
  },
  beforeUnmount() {
    this.resizes.disconnect();
    this.chart.dispose();
  },
  methods: {
    fit() {
      const { clientWidth, clientHeight } = this.$el;
      const fits = clientWidth === this.chart.getWidth() && clientHeight === this.chart.getHeight();
      // Nothing is drawn again while it is hidden: ECharts fails on an empty size.
      if (!fits && clientWidth > 0) this.chart.resize();
    },
    update_chart() {
      convertDynamicProperties(this.options, true);
      const series = this.chart.getOption()?.series;
      this.chart.setOption(this.options, { notMerge: series?.length !== this.options.series?.length });
    },
  },
};
