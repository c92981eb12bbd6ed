"""What people are told if nobody wrote a text: for mail as text and HTML, and short for chat."""

SUBJECT = "{{#workflow}}{{workflow}}: {{/workflow}}{{what}}"

CHAT = """\
{{#workflow}}{{workflow}}: {{/workflow}}{{what}}{{#duration}} ({{duration}}){{/duration}}
{{#error}}{{error.type}}: {{error.message}}
{{/error}}{{#suppressed}}(and {{suppressed}} more since the last message)
{{/suppressed}}{{^link}}{{#run}}run {{run}}{{/run}}{{/link}}{{link}}"""

TEXT = """\
{{#workflow}}{{workflow}}: {{/workflow}}{{what}}
{{#error}}
{{error.type}}: {{error.message}}
{{/error}}
{{#run}}Run       {{run}} ({{state}})
{{/run}}{{#task}}Task      {{task}} ({{task_state}}{{#attempt}}, attempt {{attempt}}{{/attempt}})
{{/task}}{{#started}}Started   {{started}}
{{/started}}{{#ended}}Ended     {{ended}}
{{/ended}}{{#duration}}Duration  {{duration}}
{{/duration}}{{#tags}}Tag       {{.}}
{{/tags}}{{#parameters}}Parameter {{name}} = {{value}}
{{/parameters}}{{#link}}Open it   {{link}}
{{/link}}{{#suppressed}}
It happened {{suppressed}} more times since the last message.
{{/suppressed}}{{#error.traceback}}
{{error.traceback}}
{{/error.traceback}}{{#log}}
The end of the log:

{{log}}
{{/log}}
--
Sent by Weft{{#automation}}, automation "{{automation}}"{{/automation}}
"""

HTML = """\
<!doctype html>
<html><body style="font: 15px/1.5 system-ui, sans-serif; color: #1c2024; max-width: 44em">
<p style="font-size: 18px; font-weight: 600">{{#workflow}}{{workflow}}: {{/workflow}}{{what}}</p>
{{#error}}<p><b>{{error.type}}</b>: {{error.message}}</p>{{/error}}
<table cellpadding="3" style="border-collapse: collapse">
{{#run}}<tr><td>Run</td><td><code>{{run}}</code> ({{state}})</td></tr>{{/run}}
{{#task}}<tr><td>Task</td><td><code>{{task}}</code>
({{task_state}}{{#attempt}}, attempt {{attempt}}{{/attempt}})</td></tr>{{/task}}
{{#started}}<tr><td>Started</td><td>{{started}}</td></tr>{{/started}}
{{#ended}}<tr><td>Ended</td><td>{{ended}}</td></tr>{{/ended}}
{{#duration}}<tr><td>Duration</td><td>{{duration}}</td></tr>{{/duration}}
{{#parameters}}<tr><td>Parameter</td><td><code>{{name}}</code> = {{value}}</td></tr>{{/parameters}}
</table>
{{#link}}<p><a href="{{link}}">Open it</a></p>{{/link}}
{{#suppressed}}<p>It happened {{suppressed}} more times since the last message.</p>{{/suppressed}}
{{#error.traceback}}
<pre style="background: #f4f4f5; padding: 8px; overflow: auto">{{error.traceback}}</pre>
{{/error.traceback}}
{{#log}}<p>The end of the log:</p>
<pre style="background: #f4f4f5; padding: 8px; overflow: auto">{{log}}</pre>{{/log}}
<p style="color: #80838d">Sent by Weft{{#automation}}, automation “{{automation}}”{{/automation}}</p>
</body></html>
"""
