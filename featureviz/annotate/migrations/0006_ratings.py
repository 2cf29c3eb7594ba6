
import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0005_tags_stars_lists'),
        ('catalog', '0008_every_dictionary_in_a_workspace'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RatingSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('is_blind', models.BooleanField(default=True)),
                ('seed', models.PositiveIntegerField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('closed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('raters', models.ManyToManyField(related_name='rating_sessions', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rating_sessions', to='catalog.workspace')),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='RatedLatent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('index', models.PositiveIntegerField()),
                ('is_negative', models.BooleanField(default=False)),
                ('run_key', models.CharField(max_length=64)),
                ('dictionary', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.dictionary')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='latents', to='annotate.ratingsession')),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.CreateModel(
            name='Rating',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hypothesis', models.TextField(blank=True, max_length=2000)),
                ('confidence', models.PositiveSmallIntegerField(null=True)),
                ('logits', models.PositiveSmallIntegerField(null=True)),
                ('gap', models.PositiveSmallIntegerField(null=True)),
                ('specificity', models.PositiveSmallIntegerField(null=True)),
                ('tokens', models.JSONField(default=dict)),
                ('started_at', models.DateTimeField(auto_now_add=True)),
                ('submitted_at', models.DateTimeField(null=True)),
                ('latent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='ratings', to='annotate.ratedlatent')),
                ('rater', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ratings', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['latent__number', 'rater'],
                'constraints': [models.UniqueConstraint(fields=('latent', 'rater'), name='rating_once'), models.CheckConstraint(condition=models.Q(('confidence__lte', 3), ('gap__lte', 1), ('logits__lte', 3), ('specificity__lte', 3)), name='rating_in_range'), models.CheckConstraint(condition=models.Q(('gap', 1), ('logits', 3), _negated=True), name='no_gap_where_all_logits_agree'), models.CheckConstraint(condition=models.Q(('submitted_at', None), models.Q(('confidence__isnull', False), ('gap__isnull', False), ('logits__isnull', False), ('specificity__isnull', False)), _connector='OR'), name='submitted_rating_is_whole')],
            },
        ),
        migrations.AddConstraint(
            model_name='ratedlatent',
            constraint=models.UniqueConstraint(fields=('session', 'number'), name='rated_in_order'),
        ),
        migrations.AddConstraint(
            model_name='ratedlatent',
            constraint=models.UniqueConstraint(fields=('session', 'dictionary', 'index'), name='rated_once'),
        ),
    ]
