"""What is installed on this machine: a bash pipeline over its package database, with a report in Markdown.

It reads the database of dpkg (Debian, Ubuntu) or apk (Alpine); without either, the programs in /usr/bin. Every task is
templated bash; a task's last line of output is its XCom, which the next one reads.
"""

from datetime import UTC, datetime, timedelta

from flowd import DAG, BashOperator, Label

# The folder that the variable `examples_output` names, or flowd-examples in the temporary folder.
OUTPUT = "{{ var.value.get('examples_output', '') }}"
START = r"""
set -euo pipefail
OUTPUT="${OUTPUT:-${TMPDIR:-/tmp}/flowd-examples}"
"""

# Prints the path of a file with a line per package: name, tab, size in KiB, tab, section.
INVENTORY = r"""
mkdir -p "$OUTPUT"
table="$OUTPUT/packages-{{ ds }}.tsv"
if [[ -s /var/lib/dpkg/status ]]; then
    awk '/^Package:/ {name = $2} /^Installed-Size:/ {size = $2} /^Section:/ {section = $2}
         /^$/ {if (name != "") print name "\t" size + 0 "\t" (section == "" ? "none" : section)
               name = ""; size = 0; section = ""}
         END {if (name != "") print name "\t" size + 0 "\t" (section == "" ? "none" : section)}' /var/lib/dpkg/status
elif [[ -s /lib/apk/db/installed ]]; then
    awk -F: '$1 == "P" {name = $2} $1 == "I" {size = $2} $1 == "o" {origin = $2}
             /^$/ {if (name != "") print name "\t" int(size / 1024) "\t" (origin == "" ? "none" : origin)
                   name = ""; size = 0; origin = ""}' /lib/apk/db/installed
else
    ls -lL /usr/bin | awk 'NR > 1 && NF >= 9 {print $NF "\t" int($5 / 1024) "\t" substr($NF, 1, 1)}'
fi | sort > "$table.new"
mv "$table.new" "$table"
echo "$(wc -l < "$table") packages found"
echo "$table"
"""

LARGEST = r"""
table="{{ ti.xcom_pull(task_ids='inventory') }}"
sort -t "$(printf '\t')" -k2,2nr "$table" > "$table.largest"
awk -F '\t' 'NR <= {{ params.top }} {printf "%8.1f MiB  %s\n", $2 / 1024, $1}' "$table.largest"
awk -F '\t' 'NR == 1 {print $1}' "$table.largest"
rm -f "$table.largest"
"""

SECTIONS = r"""
table="{{ ti.xcom_pull(task_ids='inventory') }}"
awk -F '\t' '{count[$3]++; size[$3] += $2}
             END {for (section in count) {
                      printf "| %s | %d | %.1f |\n", section, count[section], size[section] / 1024
                  }}' "$table" | sort -t '|' -k4,4nr > "$table.sections"
cat "$table.sections"
wc -l < "$table.sections" | tr -d ' '
"""

REPORT = r"""
table="{{ ti.xcom_pull(task_ids='inventory') }}"
report="$OUTPUT/packages-{{ ds }}.md"
{
    echo "# Installed on $(uname -n), {{ ds }}"
    echo
    echo "$(wc -l < "$table" | tr -d ' ') packages in {{ ti.xcom_pull(task_ids='by_section') }} sections;"
    echo "the largest is {{ ti.xcom_pull(task_ids='largest') }}."
    echo
    echo "| section | packages | MiB |"
    echo "|---|---:|---:|"
    cat "$table.sections"
} > "$report"
cat "$report"
echo "$report"
"""

with DAG(
    "packages",
    schedule="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    params={"top": 10},
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=5),
        "execution_timeout": timedelta(minutes=1),
        "env": {"OUTPUT": OUTPUT},
        "append_env": True,
    },
    tags=["example", "bash"],
    doc_md=__doc__,
):
    inventory = BashOperator(task_id="inventory", bash_command=START + INVENTORY)
    largest = BashOperator(task_id="largest", bash_command=START + LARGEST)
    by_section = BashOperator(task_id="by_section", bash_command=START + SECTIONS)
    report = BashOperator(task_id="report", bash_command=START + REPORT)

    inventory >> Label("the table") >> [largest, by_section] >> report
