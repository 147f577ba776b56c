"""Judges of answers held to a few human labels: corrected means, rates of error, agreement, drift and ranks.

A judge (a model that grades answers) is a measurement of what a human would have said, with errors that hang on style,
position and whose answer it is. Human labels of some items tell how it errs; these modules use them to answer for all.

- `labels`: items with a judge's score, and a human's where one looked.
- `powered`: prediction-powered means, tuned, and their differences.
- `stratified`: such means by strata, and how many labels it takes.
- `misclassified`: sensitivity and specificity of a judge of two verdicts, and means corrected by them.
- `leaning`: what moves a judge with the human's verdict held.
- `selected`: labels that were not given at random.
- `agreement`: agreement beyond what both have from style.
- `drifting`: judges that change with time.
- `ranking`: systems in order, with simultaneous intervals.
"""
